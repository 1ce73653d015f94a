// Light, dark, or as the system says.

import { el } from "./dom";
import * as state from "./state";

const watchers: (() => void)[] = [];
const system = matchMedia("(prefers-color-scheme: dark)");

function current(): "light" | "dark" {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : system.matches ? "dark" : "light";
}

/** Calls `redraw` when the colours change. */
export function onChange(redraw: () => void): void {
  watchers.push(redraw);
}

/** Switches between light and dark; the system's own is not kept in the address. */
export function toggle(): void {
  const next = current() === "dark" ? "light" : "dark";
  const own = system.matches ? "dark" : "light";
  state.set("theme", next === own ? undefined : next);
  apply();
}

function apply(): void {
  const before = current();
  const wanted = state.get("theme");
  if (wanted === "light" || wanted === "dark") {
    document.documentElement.dataset.theme = wanted;
  } else {
    delete document.documentElement.dataset.theme;
  }
  if (current() !== before) watchers.forEach((redraw) => redraw());
}

/** Follows the address and the system; puts the switch into `tools`. */
export function start(tools: HTMLElement): void {
  state.watch(apply);
  system.addEventListener("change", () => watchers.forEach((redraw) => redraw()));
  const button = el("button", { type: "button", id: "theme", onclick: toggle }, "Light or dark");
  tools.append(button);
}
