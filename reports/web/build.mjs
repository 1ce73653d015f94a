// Builds dist/ from src/; with --check it compares instead and fails on a difference.

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const at = (...parts) => join(here, ...parts);

const licence = await readFile(at("node_modules/uplot/LICENSE"), "utf8");
const { version } = JSON.parse(await readFile(at("node_modules/uplot/package.json"), "utf8"));
const notice = `/*! Contains uPlot ${version}.\n\n${licence.trim()}\n*/`;

async function bundle(entry, extra) {
  const result = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    write: false,
    ...extra,
  });
  return result.outputFiles[0].text;
}

const script = await bundle("src/main.ts", { format: "iife", banner: { js: notice } });
if (/<\/script|<!--/i.test(script)) {
  throw new Error("the script would end its own element: find the string in src/ and split it");
}
const files = {
  "dist/report.js": script,
  "dist/script.css": await bundle("src/script.css", { loader: { ".css": "css" } }),
  // What the page's CSP allows; no newline, so that it can be embedded as it is.
  "dist/report.js.sha256": createHash("sha256").update(script).digest("base64"),
};

const isCheck = process.argv.includes("--check");
let stale = 0;
for (const [name, text] of Object.entries(files)) {
  if (!isCheck) {
    await writeFile(at(name), text);
    console.log(`${name}: ${Buffer.byteLength(text)} bytes`);
  } else if ((await readFile(at(name), "utf8").catch(() => "")) !== text) {
    console.error(`${name} is not what src/ builds: run npm run build and commit it`);
    stale += 1;
  }
}
process.exitCode = stale > 0 ? 1 : 0;
