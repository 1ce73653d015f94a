// The pictures of docs/reading-a-report.md: parts of a report, as a browser shows them.
// npm run pictures -- REPORT.html FOLDER

import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";

// Name and selector of each; what is too tall is cut.
const PARTS = {
  summary: "#summary",
  strategies: "table#s0-strategies",
  throughput: "#s0-throughput",
  why: "#s0-why-table",
  percentiles: "#s0-pamt_get-tail",
  distribution: "#s0-pamt_get-cdf",
  "where-the-time-goes": "#s0-time-fault",
  timeline: "figure[id^='s1-timeline']",
  locks: "#s0-lock-table",
  "contention-points": "table#s0-contention-points",
  theory: "table#s0-theory",
  "hand-offs": "table#s0-handoffs",
  objects: "table#s0-objects",
  lines: "#s0-line-table",
  fields: "table#s0-pareto",
  transfers: "figure[id*='-heat-1']",
  statuses: "table#s2-statuses",
  "first-and-last": "table#s1-td-spread",
  memory: "#s0-memory-time",
  correctness: "#s0-correctness pre",
  machine: "table#machine-0",
  scaling: "#scaling-0",
  usl: "table#usl-0",
  intervals: "#intervals-0",
  tornado: "#tornado-0",
};
const WIDTH = 860;
// Of a table, and of anything else.
const TALLEST = [240, 620];

const [report, folder] = process.argv.slice(2);
if (!folder) {
  console.error("pictures: name a report and a folder");
  process.exit(2);
}
await mkdir(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-lcd-text"] });
// Without JavaScript: the drawings are those of the page itself. What is folded comes unfolded.
const context = await browser.newContext({ viewport: { width: WIDTH, height: 900 }, colorScheme: "light", javaScriptEnabled: false });
const page = await context.newPage();
await page.setContent((await readFile(report, "utf8")).replaceAll("<details", "<details open"));
for (const [name, selector] of Object.entries(PARTS)) {
  const part = page.locator(selector).first();
  if ((await part.count()) === 0) {
    console.error(`pictures: the report has no ${selector}`);
    continue;
  }
  const box = await part.boundingBox();
  const tallest = TALLEST[selector.includes("table") ? 0 : 1];
  const clip = { ...box, width: Math.min(box.width, WIDTH - box.x), height: Math.min(box.height, tallest) };
  await page.screenshot({ path: join(folder, `${name}.png`), clip, fullPage: true });
}
await browser.close();
