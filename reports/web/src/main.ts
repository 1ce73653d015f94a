// Starts what makes the page handier. The page is complete without any of it.

import * as chart from "./chart";
import { all, copyButton, el } from "./dom";
import * as keys from "./keys";
import * as state from "./state";
import * as table from "./table";
import * as theme from "./theme";

/** A link to each part beside its heading, and a copy button beside each command. */
function linksAndCopies(): void {
  for (const part of all<HTMLElement>(document, "main section[id]")) {
    const heading = part.querySelector("h2, h3");
    const label = `Link to: ${heading?.textContent?.trim() ?? part.id}`;
    const onclick = (event: Event) => {
      event.preventDefault();
      state.setAnchor(part.id);
    };
    heading?.append(
      " ",
      el("a", { class: "anchor", href: `#${part.id}`, "aria-label": label, onclick }, "#"),
    );
  }
  for (const text of all<HTMLElement>(document, "main pre")) {
    text.before(copyButton("Copy", () => text.textContent ?? ""));
  }
}

document.documentElement.classList.add("js");
const tools = document.getElementById("tools") ?? document.body;
theme.start(tools);
keys.start(tools);
linksAndCopies();
table.start();
chart.start();
state.scrollToAnchor();
