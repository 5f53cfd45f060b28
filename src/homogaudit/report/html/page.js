"use strict";
// Draws the questions, explains terms where they stand, and changes the theme. All text goes in as text.
(() => {
  const CHUNK = 50;
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("questions-json").textContent);
  const root = document.documentElement;

  // Controls, directions and halves of pairs are written out: they must not hide, or turn, what is beside them.
  const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\uffff\ud800-\udfff]/gu;
  const code = (char) => "U+" + char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

  function make(tag, kind, text) {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function answer(text, kind = "answer") {
    const made = make("span", kind);
    made.dir = "auto";
    let last = 0;
    for (const found of text.matchAll(ODD)) {
      made.append(text.slice(last, found.index), make("span", "odd", code(found[0])));
      last = found.index + found[0].length;
    }
    made.append(text.slice(last));
    return made;
  }

  // Questions
  const list = at("list"), more = at("more"), shownLine = at("shown");
  const search = at("search"), category = at("category"), sort = at("sort");
  const filters = [...document.querySelectorAll("[data-filter]")];
  const total = data.questions.length;
  const runsOf = (question) => question.runs ?? [question];
  const isOn = (button) => button.ariaPressed === "true";
  const number = new Intl.NumberFormat("en");
  let shown = [], drawn = 0;

  data.questions.forEach((question, place) => { question.place = place; });

  function haystack(question) {
    if (question.hay === undefined) {
      const texts = runsOf(question).flatMap((x) => x.clusters.flat().concat(x.without, x.greedy ? [[x.greedy]] : []));
      const parts = [question.text, question.category ?? "", question.id, ...texts.map((x) => x[0])];
      question.hay = parts.join("\n").toLowerCase();
    }
    return question.hay;
  }

  function selected() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const on = filters.filter(isOn).map((x) => x.dataset.filter);
    const found = data.questions.filter((question) =>
      on.every((name) => question.in.includes(name)) &&
      (category.value === "" || question.category === category.value) &&
      words.every((word) => haystack(question).includes(word)));
    const key = keys[sort.value];
    if (!key) return found;
    // Those without a value come last, equal ones in the order of the file.
    const value = (x) => { const y = key.of(x); return y === null || y === undefined ? null : y; };
    const has = found.filter((x) => value(x) !== null), not = found.filter((x) => value(x) === null);
    has.sort((a, b) => {
      const x = value(a), y = value(b);
      return (x < y ? -1 : x > y ? 1 : 0) * key.sign || a.place - b.place;
    });
    return has.concat(not);
  }

  function count(question) { return question.counts[0]; }

  function apart(question) {
    const counts = question.runs.map((x) => x.clusters.length).filter(Boolean);
    return counts.length > 1 ? Math.max(...counts) - Math.min(...counts) : null;
  }

  const keys = {
    file: { of: (x) => x.number, sign: 1 },
    apart: { of: apart, sign: -1 },
    fewest: { of: count, sign: 1 },
    most: { of: count, sign: -1 },
    label: { of: (x) => x.label === null ? null : data.labels.indexOf(x.label), sign: 1 },
    category: { of: (x) => x.category?.toLowerCase(), sign: 1 },
  };
  data.signals?.forEach((name, place) => { keys["signal:" + place] = { of: (x) => x.signals[place], sign: -data.directions[place] }; });

  function option(parent, value, text) {
    const made = make("option", "", text);
    made.value = value;
    parent.append(made);
  }

  if (data.runs) {
    option(sort, "", "flipped first");
    option(sort, "apart", "difference in clusters");
    option(sort, "file", "order of the file");
  } else {
    option(sort, "", "order of the file");
    option(sort, "fewest", "fewest clusters");
    option(sort, "most", "most clusters");
    option(sort, "label", "label");
  }
  option(sort, "category", "category");
  if (data.signals?.length) {
    const group = make("optgroup");
    group.label = "most uncertain by";
    data.signals.forEach((name, place) => option(group, "signal:" + place, name));
    sort.append(group);
  }
  const categories = new Map();
  for (const x of data.questions) if (x.category) categories.set(x.category, (categories.get(x.category) ?? 0) + 1);
  for (const [name, size] of [...categories].sort((a, b) => a[0].localeCompare(b[0]))) option(category, name, `${name} (${size})`);
  if (!categories.size) category.parentElement.hidden = true;

  const size = (cluster) => cluster.reduce((sum, x) => sum + x[1], 0);

  function row(question) {
    const made = make("details", "question");
    made.dataset.place = question.place;
    const head = make("summary");
    const asked = make("span", "asked");
    asked.append(answer(question.text, ""));
    if (question.category) asked.append(" ", make("span", "category", question.category));
    head.append(make("span", "number", number.format(question.number ?? question.place + 1)), asked);
    if (data.runs) head.append(columns(question, glance));
    else head.append(bars(question), make("span", "number", count(question) ?? ""), verdict(question.label));
    made.append(head);
    made.addEventListener("toggle", () => { if (made.open) fill(made); });
    return made;
  }

  function bars(said) {
    const sizes = make("span", "sizes"), clusters = said.clusters.map(size), without = size(said.without);
    for (const x of clusters) part(sizes, x, "");
    if (without) part(sizes, without, "without");
    if (clusters.length) {
      sizes.role = "img";
      sizes.ariaLabel = `clusters: ${clusters.join(", ")}`;
    }
    return sizes;
  }

  function verdict(label) { return make("span", `said ${label ?? ""}`, (label ?? "").replace("_", " ")); }

  // What each run says, side by side
  const FLIPPED = { to_one: "flipped to one", from_one: "flipped back" };

  function columns(question, draw) {
    const made = make("span", "columns");
    question.runs.forEach((said, place) => {
      const column = make("span", "column");
      column.role = "group";
      column.ariaLabel = data.runs[place];
      column.append(...draw(said, place));
      made.append(column);
    });
    return made;
  }

  function runName(place) { return make("span", "run", data.runs[place] + (place === data.baseline ? " *" : "")); }

  function glance(said, place) {
    const line = make("span", "sized"), n = said.clusters.length;
    line.append(bars(said), make("span", "muted", n ? `${n} cluster${n === 1 ? "" : "s"}` : ""));
    if (said.flip) line.append(make("span", "flip", FLIPPED[said.flip]));
    const head = make("span", "whose");
    head.append(runName(place), verdict(said.label));
    // The most frequent wording of the largest cluster, with the size of that cluster.
    const common = said.clusters[0] ?? said.without.slice(0, 1);
    const most = make("span", "most");
    if (common.length) {
      most.append(make("span", "muted", `${size(common)} of ${said.clusters.concat([said.without]).reduce((sum, x) => sum + size(x), 0)}`),
        answer(common[0][0]));
    }
    return [head, line, most];
  }

  function part(parent, share, kind) {
    const made = make("i", kind);
    made.style.flexGrow = share;
    parent.append(made);
  }

  function fill(made) {
    if (made.lastElementChild.className === "inside") return;
    const question = data.questions[made.dataset.place];
    const inside = make("div", "inside");
    if (data.runs) inside.append(columns(question, (said, place) => [runName(place), ...answers(said)]));
    else inside.append(...answers(question));
    if (question.correct.length) inside.append(texts("correct by the question file", question.correct.map((x) => [x, 0])));
    if (question.incorrect.length) inside.append(texts("incorrect by the question file", question.incorrect.map((x) => [x, 0])));
    const values = (data.clusterings ?? []).map((name, place) => [`clusters by ${name}`, question.counts[place]])
      .concat((data.signals ?? []).map((name, place) => [name, question.signals[place]]))
      .filter((x) => x[1] !== null && x[1] !== undefined);
    if (values.length) inside.append(figures(values));
    made.append(inside);
  }

  function answers(said) {
    const all = said.clusters.reduce((sum, x) => sum + size(x), 0);
    const made = said.clusters.map((x, place) => texts(`cluster ${place + 1}: ${size(x)} of ${all}`, x));
    if (said.outside) made.push(make("p", "muted", said.outside));
    if (said.without.length) made.push(texts("without a cluster", said.without));
    if (said.greedy) made.push(texts("greedy answer", [[said.greedy, 0, said.label, said.reason]]));
    else if (said.reason) made.push(make("p", "muted", said.reason));
    return made;
  }

  function texts(title, rows) {
    const made = make("div");
    made.append(make("h3", "", title));
    const items = make("ul");
    for (const [text, times, label, reason] of rows) {
      const item = make("li");
      item.append(make("span", "times", times > 1 ? `${times}\u00d7` : ""), answer(text));
      if (label) {
        const why = make("span", "why");
        why.append(verdict(label), " ", make("span", "muted", reason));
        item.append(why);
      }
      items.append(item);
    }
    made.append(items);
    return made;
  }

  function figures(rows) {
    const made = make("dl", "values");
    for (const [name, value] of rows) {
      const line = make("div"), head = make("dt"), id = "term-" + name.replace(/^recorded:/, "").replace(/[^a-z0-9]+/g, "-");
      const term = at(id) ? make("a", "term", name) : make("span", "", name);
      if (at(id)) term.href = "#" + id;
      head.append(term);
      line.append(head, make("dd", "", value));
      made.append(line);
    }
    return made;
  }

  function draw(until) {
    list.append(...shown.slice(drawn, until).map(row));
    drawn = Math.min(until, shown.length);
    more.hidden = drawn >= shown.length;
  }

  function update() {
    shown = selected();
    drawn = 0;
    list.replaceChildren();
    const told = [...filters.filter(isOn).map((x) => x.firstChild.textContent.trim()), category.value].filter(Boolean);
    shownLine.textContent = `${number.format(shown.length)} of ${number.format(total)}${told.length ? ": " : ""}${told.join(", ")}`;
    draw(CHUNK);
  }

  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(update, 120); });
  category.addEventListener("change", update);
  sort.addEventListener("change", update);
  for (const x of filters) x.addEventListener("click", () => { press(x, !isOn(x)); update(); });
  function press(button, on) { button.ariaPressed = String(on); }
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("controls").hidden = false;
  more.addEventListener("click", () => draw(drawn + CHUNK));
  at("open").addEventListener("click", () => { draw(shown.length); for (const x of list.children) { fill(x); x.open = true; } });
  at("open").hidden = at("close").hidden = false;
  at("close").addEventListener("click", () => { for (const x of list.children) x.open = false; });

  // A link such as #questions/missed shows those alone.
  function follow() {
    const [place, name] = decodeURIComponent(location.hash.slice(1)).split("/");
    if (place !== "questions" || !name) return;
    search.value = category.value = sort.value = "";
    for (const x of filters) press(x, x.dataset.filter === name);
    update();
    at("questions").scrollIntoView();
  }
  window.addEventListener("hashchange", follow);
  update();
  follow();

  // Explanations
  const popover = at("popover");
  let asked = null;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a.term");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !popover.showPopover) return;
    event.preventDefault();
    const entry = at(link.hash.slice(1));
    popover.replaceChildren(...[...entry.children].map((x) => x.cloneNode(true)));
    const whole = make("a", "", "Glossary");
    whole.href = link.hash;
    whole.addEventListener("click", () => popover.hidePopover());
    popover.append(whole);
    popover.showPopover();
    const box = link.getBoundingClientRect(), own = popover.getBoundingClientRect();
    const isBelow = box.bottom + own.height + 6 < innerHeight || box.top < own.height + 60;
    popover.style.left = Math.max(8, Math.min(box.left, root.clientWidth - own.width - 8)) + "px";
    popover.style.top = scrollY + (isBelow ? box.bottom + 6 : box.top - own.height - 6) + "px";
    asked = link;
    whole.focus({ preventScroll: true });
  });
  popover.addEventListener("toggle", (event) => {
    const isLost = document.activeElement === document.body || popover.contains(document.activeElement);
    if (event.newState === "closed" && isLost) asked.focus({ preventScroll: true });
  });

  // Theme
  const theme = at("theme"), dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  dark.addEventListener("change", name);
  name();
  theme.hidden = false;

  // Print: what is listed, whole
  window.addEventListener("beforeprint", () => draw(shown.length));
  at("print").addEventListener("click", () => print());
  at("print").hidden = false;

  // Data
  function save(name, type, text) {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  at("download").addEventListener("click", () =>
    save(at("report-json").dataset.file, "application/json", at("report-json").textContent));
  at("download").hidden = false;

  // Questions judged as a whole
  if (at("judging")) judge(JSON.parse(at("sample-json").textContent));

  function judge(sample) {
    const dialog = at("judging"), labels = [];
    let saved = 0;

    function show() {
      const done = labels.length, same = labels.filter(Boolean).length, row = sample[done];
      at("judge-done").textContent = done ? `${done} of ${sample.length} judged: ${same} one meaning, ${done - same} several` : "";
      at("judge-save").disabled = !done;
      at("judge-progress").value = done;
      at("judge-place").textContent = row ? `question ${done + 1} of ${sample.length}` : "all are judged";
      at("judge-question").replaceChildren(row ? answer(row.question, "") : "Close this, and save the labels.");
      const times = new Map();
      for (const text of row?.answers ?? []) times.set(text, (times.get(text) ?? 0) + 1);
      at("judge-answers").replaceChildren(...[...times].map(([text, count]) => {
        const item = make("li");
        item.append(make("span", "times", count > 1 ? `${count}\u00d7` : ""), answer(text));
        return item;
      }));
      at("judge-answers").scrollTop = 0;
      at("judge-yes").disabled = at("judge-no").disabled = !row;
      at("judge-undo").disabled = !done;
    }

    function say(label) {
      if (labels.length < sample.length) labels.push(label);
      show();
    }

    function undo() {
      labels.pop();
      saved = Math.min(saved, labels.length);
      show();
    }

    const keys = { y: () => say(true), n: () => say(false), u: undo };
    dialog.addEventListener("keydown", (event) => {
      const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key.toLowerCase()];
      if (!act) return;
      event.preventDefault();
      if (!event.repeat) act();
    });
    at("judge-yes").addEventListener("click", keys.y);
    at("judge-no").addEventListener("click", keys.n);
    at("judge-undo").addEventListener("click", keys.u);
    at("judge-close").addEventListener("click", () => dialog.close());
    at("judge-begin").addEventListener("click", () => { show(); dialog.showModal(); at("judge-question").focus(); });
    at("judge-save").addEventListener("click", () => {
      const rows = labels.map((label, place) => JSON.stringify({ ...sample[place], one_meaning: label }) + "\n");
      save("labels.jsonl", "application/jsonl", rows.join(""));
      saved = labels.length;
    });
    window.addEventListener("beforeunload", (event) => { if (saved < labels.length) event.preventDefault(); });
    at("judge-begin").hidden = at("judge-save").hidden = false;
  }

  const contents = document.querySelector(".contents details");
  if (matchMedia("(max-width: 72rem)").matches) contents.open = false;
})();
