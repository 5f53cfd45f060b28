"""The two themes of the live terminal, light and dark. Knows colours of the frame only, none of clusters or states."""

from textual.theme import Theme

DARK = Theme(
    name="homogaudit-dark",
    dark=True,
    primary="#7aa2f7",
    secondary="#565f89",
    accent="#e0af68",
    foreground="#d5d9e5",
    background="#14161f",
    surface="#1b1e2a",
    panel="#262a39",
    success="#9ece6a",
    warning="#e0af68",
    error="#f7768e",
    variables={
        "border": "#3b4261",
        "scrollbar": "#3b4261",
        "scrollbar-hover": "#565f89",
        "scrollbar-active": "#7aa2f7",
        "scrollbar-background": "#14161f",
        "scrollbar-background-hover": "#14161f",
        "scrollbar-background-active": "#14161f",
        "scrollbar-corner-color": "#14161f",
        "border-blurred": "#2f354d",
        "footer-background": "#1b1e2a",
        "footer-key-foreground": "#7aa2f7",
        "footer-description-foreground": "#a0a8c4",
        "block-cursor-text-style": "none",
        "input-selection-background": "#7aa2f7 35%",
    },
)
"""Blue on near-black; no colour of the frame is as strong as those of clusters and verdicts."""

LIGHT = Theme(
    name="homogaudit-light",
    dark=False,
    primary="#2f5fc4",
    secondary="#8a90a6",
    accent="#9a6700",
    foreground="#23262f",
    background="#fbfbfd",
    surface="#f2f3f7",
    panel="#e4e6ee",
    success="#3f7d20",
    warning="#9a6700",
    error="#c0283d",
    variables={
        "border": "#c3c7d6",
        "scrollbar": "#c3c7d6",
        "scrollbar-hover": "#8a90a6",
        "scrollbar-active": "#2f5fc4",
        "scrollbar-background": "#fbfbfd",
        "scrollbar-background-hover": "#fbfbfd",
        "scrollbar-background-active": "#fbfbfd",
        "scrollbar-corner-color": "#fbfbfd",
        "border-blurred": "#d9dce6",
        "footer-background": "#f2f3f7",
        "footer-key-foreground": "#2f5fc4",
        "footer-description-foreground": "#4b5163",
        "block-cursor-text-style": "none",
        "input-selection-background": "#2f5fc4 25%",
    },
)
"""The same on paper white; every text colour has a contrast of at least 4.5 to 1 against it."""
