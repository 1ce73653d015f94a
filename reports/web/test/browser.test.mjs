// The report in a real browser. REPORT_PAGES is the folder that `report_pages` wrote.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const PAGES = resolve(process.env.REPORT_PAGES ?? "../../target/report-pages");
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let browser, context, page, noise, requests;

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS });
});
after(() => browser?.close());

/** A page that writes down what it says and asks for. */
async function fresh(options = {}) {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  page = await context.newPage();
  noise = [];
  requests = [];
  page.on("console", (message) => noise.push(message.text()));
  page.on("pageerror", (error) => noise.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
}

const url = (name, hash = "") => pathToFileURL(join(PAGES, name)).href + hash;

async function open(name, hash) {
  await page.goto(url(name, hash));
  await page.waitForFunction(() => document.documentElement.classList.contains("js"));
}

beforeEach(() => fresh());
afterEach(async () => {
  assert.deepEqual(noise, [], "the console is clean");
  const others = requests.filter((asked) => !asked.startsWith("file:") || !asked.includes(".html"));
  assert.deepEqual(others, [], "nothing but the page is asked for");
  await context.close();
});

/** A table with several rows and a column of numbers that are not all equal. */
async function sortable() {
  return page.evaluate(() => {
    for (const table of document.querySelectorAll("table.data[id]")) {
      const rows = [...table.tBodies[0].rows];
      const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
      const index = heads.findIndex((head, i) => {
        const values = rows.map((row) => row.cells[i].dataset.v ?? row.cells[i].textContent);
        return head.classList.contains("n") && new Set(values).size === rows.length && rows.length > 2;
      });
      if (index > 0) return { id: table.id, column: heads[index].dataset.col, index, rows: rows.length };
    }
    return null;
  });
}

const cells = (id, index) =>
  page.$$eval(`#${id} tbody tr:not([hidden])`, (rows, index) =>
    rows.map((row) => row.cells[index].dataset.v ?? row.cells[index].textContent.trim()), index);

const ordered = (values) => {
  const numbers = values.filter((value) => value !== "").map(Number);
  return numbers.every((value, i) => i === 0 || numbers[i - 1] >= value);
};

for (const name of ["empty.html", "single.html", "typical.html", "many.html", "wide.html"]) {
  test(`${name} opens without a word on the console and without a request`, async () => {
    await open(name);
    await page.mouse.wheel(0, 50_000);
    await page.waitForTimeout(300);
    assert.deepEqual(requests, [url(name)]);
  });
}

test("a click on a heading sorts, a second reverses, a third restores", async () => {
  await open("typical.html");
  const { id, column, index } = await sortable();
  const before = await cells(id, index);
  const button = page.locator(`#${id} th[data-col="${column}"] button.sort`);
  await button.click();
  assert.ok(ordered(await cells(id, index)), "most first");
  assert.equal(await page.getAttribute(`#${id} th[data-col="${column}"]`, "aria-sort"), "descending");
  await button.click();
  assert.ok(ordered((await cells(id, index)).reverse()), "least first");
  await button.click();
  assert.deepEqual(await cells(id, index), before);
});

test("cells without a figure are sorted last in both directions", async () => {
  await open("typical.html");
  const found = await page.evaluate(() => {
    for (const table of document.querySelectorAll("table.data[id]")) {
      const rows = [...table.tBodies[0].rows];
      const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
      const index = heads.findIndex((head, i) => {
        const empty = rows.filter((row) => row.cells[i].textContent.trim() === "").length;
        return head.classList.contains("n") && empty > 0 && empty < rows.length;
      });
      if (index > 0) return { id: table.id, column: heads[index].dataset.col, index };
    }
    return null;
  });
  assert.ok(found, "the page has a table with a missing figure");
  for (const _ of ["descending", "ascending"]) {
    await page.click(`#${found.id} th[data-col="${found.column}"] button.sort`);
    const values = await cells(found.id, found.index);
    assert.equal(values.at(-1), "");
    assert.notEqual(values[0], "");
  }
});

test("a filter keeps the rows that have all its words, and says how many", async () => {
  await open("typical.html");
  const { id, rows } = await sortable();
  const tools = page.locator(`div.tools:has(+ .scroll #${id})`);
  await tools.locator("input[type=search]").fill("per-2m");
  const labels = await page.$$eval(`#${id} tbody tr:not([hidden])`, (all) => all.map((row) => row.textContent));
  assert.ok(labels.length > 0 && labels.length < rows);
  assert.ok(labels.every((label) => label.includes("per-2m")));
  assert.equal(await tools.locator(".count").textContent(), `${labels.length} of ${rows} rows`);
  await tools.locator("input[type=search]").fill("-per-2m");
  assert.equal(await page.locator(`#${id} tbody tr:not([hidden])`).count(), rows - labels.length);
});

test("a column can be put away, with its heading, and comes back", async () => {
  await open("typical.html");
  const { id, column } = await sortable();
  const tools = page.locator(`div.tools:has(+ .scroll #${id})`);
  await tools.locator("summary").click();
  const head = page.locator(`#${id} th[data-col="${column}"]`);
  const label = (await head.textContent()).trim();
  const box = tools.getByLabel(label, { exact: true }).first();
  await box.uncheck();
  assert.equal(await head.isVisible(), false);
  const widths = await page.$eval(`#${id}`, (table) =>
    [...table.tHead.rows].map((row) =>
      [...row.cells].filter((cell) => !cell.hidden).reduce((sum, cell) => sum + cell.colSpan, 0)));
  assert.equal(new Set(widths).size, 1, "groups still span their columns");
  await box.check();
  assert.equal(await head.isVisible(), true);
});

test("an address restores sorting, filter and hidden columns", async () => {
  await open("typical.html");
  const { id, column, index } = await sortable();
  await fresh();
  await open("typical.html", `#summary&${id}.sort=${column}:desc&${id}.filter=-static`);
  assert.ok(ordered(await cells(id, index)));
  const labels = await page.$$eval(`#${id} tbody tr:not([hidden])`, (all) => all.map((row) => row.textContent));
  assert.ok(labels.every((label) => !label.includes("static")));
  await page.click(`#${id} th[data-col="${column}"] button.sort`);
  assert.ok(page.url().includes(`${id}.sort=${column}:asc`), page.url());
  await page.evaluate(() => (location.hash = ""));
  await page.waitForFunction((id) => !document.querySelector(`#${id} [aria-sort]`), id);
});

test("what is copied is what is shown, as CSV with raw numbers", async () => {
  await fresh({ permissions: ["clipboard-read", "clipboard-write"] });
  await open("typical.html");
  const { id, index, column } = await sortable();
  const tools = page.locator(`div.tools:has(+ .scroll #${id})`);
  await tools.locator("input[type=search]").fill("-static");
  await tools.getByText("Copy as CSV").click();
  await tools.getByText("Copied").waitFor();
  const text = await page.evaluate(() => navigator.clipboard.readText());
  const lines = text.trimEnd().split("\n").map((line) => line.split(","));
  assert.equal(lines[0][index], column);
  assert.deepEqual(lines.slice(1).map((line) => line[index]), await cells(id, index));
});

test("a plot in view can be zoomed, its neighbours follow, a double click returns", async () => {
  await fresh({ viewport: { width: 1280, height: 2400 } });
  await open("typical.html");
  // Two plots of one scenario over the same quantity.
  const ids = await page.evaluate(() => {
    const plots = JSON.parse(document.getElementById("plots").textContent);
    const over = (id) => `${plots[id].x.unit}|${plots[id].x.label}`;
    const figures = [...document.querySelectorAll("figure[data-plot]")];
    const all = figures.map((f) => f.dataset.plot).filter((id) => id in plots);
    const first = all.find((id) => all.some((other) => other !== id && over(other) === over(id)));
    return [first, all.find((id) => id !== first && over(id) === over(first))];
  });
  const [figure, neighbour] = ids.map((id) => page.locator(`figure[data-plot="${id}"]`));
  await neighbour.scrollIntoViewIfNeeded();
  await neighbour.locator(".uplot").waitFor();
  await figure.scrollIntoViewIfNeeded();
  await figure.locator(".uplot").waitFor();
  assert.equal(await figure.locator(".drawing").isVisible(), false);
  const picture = () => neighbour.locator("canvas").evaluate((canvas) => canvas.toDataURL());
  const before = await picture();
  const over = figure.locator(".u-over");
  await over.scrollIntoViewIfNeeded();
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  await page.waitForFunction((id) => location.hash.includes(`${id}.zoom=`), ids[0]);
  await page.waitForTimeout(100);
  assert.notEqual(await picture(), before, "the neighbour is zoomed as well");
  await over.dblclick();
  await page.waitForFunction((id) => !location.hash.includes(`${id}.zoom=`), ids[0]);
  await page.waitForTimeout(100);
  assert.equal(await picture(), before, "and returns");
  await figure.getByText("Fixed plot").click();
  assert.equal(await figure.locator(".drawing").isVisible(), true);
});

test("dark and light differ, follow the system, and can be switched", async () => {
  await fresh({ colorScheme: "dark" });
  await open("typical.html");
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await background();
  await page.click("#theme");
  const light = await background();
  assert.notEqual(dark, light);
  assert.ok(page.url().includes("theme=light"));
  await page.keyboard.press("t");
  assert.equal(await background(), dark);
  await fresh({ colorScheme: "light" });
  await open("typical.html");
  assert.equal(await background(), light);
});

test("the keys work: help, parts, filter, first state", async () => {
  await open("typical.html");
  await page.keyboard.press("?");
  assert.ok(await page.locator("dialog[open]").isVisible());
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("dialog[open]").count(), 0);
  await page.keyboard.press("]");
  await page.keyboard.press("]");
  const second = new URL(page.url()).hash;
  await page.keyboard.press("[");
  assert.notEqual(new URL(page.url()).hash, second);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.type), "search");
  await page.keyboard.type("global");
  await page.waitForFunction(() => location.hash.includes("filter=global"));
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("r");
  await page.waitForFunction(() => !location.hash.includes("filter"));
});

test("without JavaScript every table and drawing is there, and no dead control", async () => {
  await open("typical.html");
  const tables = await page.locator("table.data").count();
  const drawings = await page.locator("figure svg").count();
  await fresh({ javaScriptEnabled: false });
  await page.goto(url("typical.html"));
  assert.ok(tables > 5 && drawings > 3);
  assert.equal(await page.locator("table.data:visible").count(), await page.locator("table.data").count() - await page.locator("details:not([open]) table.data").count());
  assert.equal(await page.locator("table.data").count(), tables);
  assert.equal(await page.locator("figure svg").count(), drawings);
  assert.equal(await page.locator("button, input, dialog").count(), 0);
});

test("printed, the drawings are there and the tools are not", async () => {
  await open("typical.html");
  await page.locator("figure[data-plot]").first().scrollIntoViewIfNeeded();
  await page.locator("figure[data-plot] .uplot").first().waitFor();
  await page.emulateMedia({ media: "print" });
  const figure = page.locator("figure[data-plot]:has(.uplot)").first();
  assert.equal(await figure.locator(".drawing").isVisible(), true);
  assert.equal(await figure.locator(".zoomable").isVisible(), false);
  assert.equal(await page.locator(".tools:visible").count(), 0);
});

for (const colorScheme of ["light", "dark"]) {
  for (const name of ["typical.html", "empty.html"]) {
    test(`axe finds nothing serious in ${name} when it is ${colorScheme}`, async () => {
      await fresh({ colorScheme });
      await open(name);
      for (const figure of await page.locator("figure[data-plot]").all()) {
        await figure.scrollIntoViewIfNeeded();
      }
      await page.evaluate(await readFile(AXE, "utf8"));
      const { violations } = await page.evaluate(() => window.axe.run());
      const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
      const found = serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
      assert.deepEqual(found, []);
    });
  }
}
