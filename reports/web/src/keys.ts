// The keyboard: a help dialog and a handful of keys.

import { all, el } from "./dom";
import * as state from "./state";
import * as theme from "./theme";

const KEYS: [string, string][] = [
  ["?", "this help"],
  ["]", "next part"],
  ["[", "previous part"],
  ["/", "filter the next table"],
  ["t", "light or dark"],
  ["r", "first state: no sorting, filter, zoom"],
  ["Tab, Enter", "walk through headings of columns and sort by them"],
  ["drag, double click", "zoom into a plot, zoom out"],
];

function help(): HTMLDialogElement {
  const rows = KEYS.flatMap(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)]);
  const close = el("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const title = el("h2", { id: "help-title" }, "Keys");
  const dialog = el("dialog", { "aria-labelledby": "help-title" }, title, el("dl", {}, ...rows), close);
  document.body.append(dialog);
  return dialog;
}

/** Goes to the part after or before the one at the top of the window. */
function step(by: 1 | -1): void {
  const parts = all<HTMLElement>(document, "main section[id]");
  const margin = 8;
  const above = parts.filter((part) => part.getBoundingClientRect().top < margin).length;
  const aligned = parts[above - 1]?.getBoundingClientRect().top ?? -Infinity;
  const isAtStart = aligned > -margin;
  const target = parts[by > 0 ? above : above - (isAtStart ? 2 : 1)];
  if (!target) return;
  target.scrollIntoView();
  state.setAnchor(target.id);
}

function focusFilter(): void {
  const filters = all<HTMLInputElement>(document, ".tools input[type=search]");
  const next = filters.find((input) => input.getBoundingClientRect().bottom > 0) ?? filters[0];
  next?.focus();
}

function reset(): void {
  location.hash = "";
}

/** Listens, and puts the help button into `tools`. */
export function start(tools: HTMLElement): void {
  const dialog = help();
  const open = () => dialog.showModal();
  tools.append(el("button", { type: "button", id: "help", onclick: open }, "Keys (?)"));
  const actions: Record<string, () => void> = {
    "?": open,
    "]": () => step(1),
    "[": () => step(-1),
    "/": focusFilter,
    t: theme.toggle,
    r: reset,
  };
  addEventListener("keydown", (event) => {
    const inField = event.target instanceof HTMLElement && event.target.matches("input, textarea");
    const action = actions[event.key];
    if (inField || dialog.open || event.ctrlKey || event.metaKey || event.altKey || !action) return;
    event.preventDefault();
    action();
  });
}
