// Sorting, filtering, choosing columns of and copying a table, all kept in the address.

import { all, copyButton, el } from "./dom";
import * as state from "./state";

const collator = new Intl.Collator("en", { numeric: true });

interface Column {
  id: string;
  head: HTMLTableCellElement;
  button: HTMLButtonElement;
  numeric: boolean;
  first: "asc" | "desc";
  hidden: boolean;
}

interface Row {
  node: HTMLTableRowElement;
  order: number;
  text: string;
}

/** The raw value of a cell: what machines read. */
function raw(cell: HTMLTableCellElement | undefined): string {
  return cell?.dataset.v ?? cell?.textContent?.trim() ?? "";
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** One table with its tools. */
class DataTable {
  private readonly columns: Column[];
  private readonly rows: Row[];
  private readonly count = el("span", { class: "count", role: "status" });
  private readonly filter = el("input", { type: "search", placeholder: "filter rows" });
  private readonly boxes = new Map<string, HTMLInputElement>();

  constructor(
    private readonly table: HTMLTableElement,
    private readonly body: HTMLTableSectionElement,
  ) {
    const head = table.tHead?.rows[table.tHead.rows.length - 1];
    this.columns = [...(head?.cells ?? [])].map((cell, index) => this.column(cell, index));
    this.rows = [...body.rows].map((node, order) => ({
      node,
      order,
      text: [...node.cells].map((cell) => cell.textContent ?? "").join(" ").toLowerCase(),
    }));
    (table.closest(".scroll") ?? table).before(this.tools());
    state.watch(() => this.apply());
  }

  private key(name: string): string {
    return `${this.table.id}.${name}`;
  }

  private column(head: HTMLTableCellElement, index: number): Column {
    const numeric = head.classList.contains("n");
    const button = el("button", { type: "button", class: "sort" });
    button.append(...head.childNodes);
    button.addEventListener("click", () => this.toggleSort(index));
    head.append(button);
    const first = numeric ? "desc" : "asc";
    return { id: head.dataset.col ?? String(index), head, button, numeric, first, hidden: false };
  }

  private tools(): HTMLElement {
    const name = this.table.caption?.textContent ?? this.table.id;
    this.filter.setAttribute("aria-label", `Filter the rows of: ${name}`);
    this.filter.addEventListener("input", () => state.set(this.key("filter"), this.filter.value));
    this.filter.addEventListener("input", () => this.apply());
    const choices = this.columns.slice(1).map((column) => this.choice(column));
    return el(
      "div",
      { class: "tools", role: "group", "aria-label": `Tools for: ${name}` },
      this.filter,
      el(
        "details",
        { class: "chooser" },
        el("summary", {}, "Columns"),
        el("div", { class: "choices" }, ...choices),
      ),
      copyButton("Copy as CSV", () => this.csv()),
      this.count,
    );
  }

  private choice(column: Column): HTMLElement {
    const box = el("input", { type: "checkbox", checked: true });
    this.boxes.set(column.id, box);
    box.addEventListener("change", () => {
      column.hidden = !box.checked;
      const hidden = this.columns.filter((c) => c.hidden).map((c) => c.id);
      state.set(this.key("hide"), hidden.join(","));
      this.apply();
    });
    return el("label", {}, box, ` ${column.button.textContent ?? column.id}`);
  }

  private toggleSort(index: number): void {
    const column = this.columns[index];
    if (column === undefined) return;
    const [id, direction] = this.sorting();
    const second = column.first === "asc" ? "desc" : "asc";
    const next = id !== column.id ? column.first : direction === column.first ? second : undefined;
    state.set(this.key("sort"), next && `${column.id}:${next}`);
    this.apply();
  }

  private sorting(): [string | undefined, string | undefined] {
    const [id, direction] = (state.get(this.key("sort")) ?? "").split(":");
    return [id || undefined, direction];
  }

  /** Brings the table into the state that the address says. */
  private apply(): void {
    const hidden = new Set((state.get(this.key("hide")) ?? "").split(","));
    for (const column of this.columns) {
      column.hidden = hidden.has(column.id);
      const box = this.boxes.get(column.id);
      if (box) box.checked = !column.hidden;
    }
    this.showColumns();
    this.sort();
    this.showRows();
  }

  private showColumns(): void {
    for (const row of [...(this.table.tHead?.rows ?? [])].slice(-1)) this.hideCells(row);
    for (const row of this.rows) this.hideCells(row.node);
    const groups = this.table.tHead?.querySelector<HTMLTableRowElement>("tr.groups");
    let at = 0;
    for (const cell of groups?.cells ?? []) {
      const span = Number((cell.dataset.span ??= String(cell.colSpan)));
      const shown = this.columns.slice(at, at + span).filter((c) => !c.hidden).length;
      cell.hidden = shown === 0;
      cell.colSpan = Math.max(1, shown);
      at += span;
    }
  }

  private hideCells(row: HTMLTableRowElement): void {
    this.columns.forEach((column, index) => {
      const cell = row.cells[index];
      if (cell) cell.hidden = column.hidden;
    });
  }

  private sort(): void {
    const [id, direction] = this.sorting();
    const index = this.columns.findIndex((column) => column.id === id);
    this.columns.forEach((column, i) => {
      if (i === index) {
        column.head.setAttribute("aria-sort", direction === "asc" ? "ascending" : "descending");
      } else {
        column.head.removeAttribute("aria-sort");
      }
    });
    const column = this.columns[index];
    const rows = [...this.rows];
    if (column) {
      const sign = direction === "asc" ? 1 : -1;
      rows.sort((a, b) => this.compare(a, b, index, column.numeric, sign));
    }
    this.body.append(...rows.map((row) => row.node));
  }

  /** Cells without a value come last in both directions; equal ones keep their first order. */
  private compare(a: Row, b: Row, index: number, numeric: boolean, sign: number): number {
    const [x, y] = [raw(a.node.cells[index]), raw(b.node.cells[index])];
    if (x === "" || y === "") return Number(x === "") - Number(y === "") || a.order - b.order;
    const order = numeric ? Number(x) - Number(y) : collator.compare(x, y);
    return sign * order || a.order - b.order;
  }

  private showRows(): void {
    const text = state.get(this.key("filter")) ?? "";
    if (this.filter.value !== text) this.filter.value = text;
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of this.rows) {
      const fits = words.every((word) =>
        word.length > 1 && word.startsWith("-")
          ? !row.text.includes(word.slice(1))
          : row.text.includes(word),
      );
      row.node.hidden = !fits;
      shown += Number(fits);
    }
    this.count.textContent = words.length > 0 ? `${shown} of ${this.rows.length} rows` : "";
  }

  /** What is shown, raw numbers, in the order shown. */
  private csv(): string {
    const shown = this.columns.map((c, index) => ({ ...c, index })).filter((c) => !c.hidden);
    const lines = [shown.map((column) => column.id)];
    for (const node of this.body.rows) {
      if (!node.hidden) lines.push(shown.map(({ index }) => raw(node.cells[index])));
    }
    return lines.map((line) => line.map(quoted).join(",") + "\n").join("");
  }
}

/** Gives every table of the page its tools. A table of one row needs none. */
export function start(): void {
  for (const table of all<HTMLTableElement>(document, "table.data[id]")) {
    const body = table.tBodies[0];
    if (body && body.rows.length > 1) new DataTable(table, body);
  }
}
