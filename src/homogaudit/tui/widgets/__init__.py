"""Small widgets of the live terminal; each draws one kind of figure."""
