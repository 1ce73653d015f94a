// Plots that can be zoomed: uPlot over the data that the page carries, in place of its drawing.
//
// The drawing stays in the page for printing, and returns with a button. Charts over the same
// quantity share cursor and zoom. A chart is made when it comes into view.

import uPlot from "uplot";
import { all, el } from "./dom";
import { show, tick } from "./figure";
import * as state from "./state";
import * as theme from "./theme";

interface Axis {
  label: string;
  log: boolean;
  unit: string;
}

interface Series {
  name: string;
  marked: boolean;
  x: number[];
  y: number[];
}

interface Plot {
  title: string;
  x: Axis;
  y: Axis;
  series: Series[];
}

// Okabe and Ito's colours and the dashes, as in the drawings (`plot/mod.rs`, `plot/chart.rs`).
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const HEIGHT = 320;

const live = new Set<Chart>();

function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axis(of: Axis, extra: uPlot.Axis): uPlot.Axis {
  return {
    label: of.label,
    stroke: css("--fg"),
    grid: { stroke: css("--line"), width: 1 },
    ticks: { stroke: css("--line"), width: 1 },
    // Of a logarithmic axis uPlot leaves the values between decades out by itself (null).
    values: (_, splits) => splits.map((v) => (v === null ? "" : tick(of.unit, v))),
    ...extra,
  };
}

function scale(of: Axis): uPlot.Scale {
  if (of.log) return { time: false, distr: 3 };
  // Linear axes start at 0, as in the drawing, until the reader zooms.
  return { time: false };
}

/** The series over one common x, with gaps where a series has no point. */
function aligned(plot: Plot): uPlot.AlignedData {
  const fits = (v: number, of: Axis) => Number.isFinite(v) && (!of.log || v > 0);
  const tables = plot.series.map(({ x, y }): uPlot.AlignedData => {
    const kept = x.map((_, i) => i).filter((i) => fits(x[i]!, plot.x) && fits(y[i]!, plot.y));
    return [kept.map((i) => x[i]!), kept.map((i) => y[i]!)];
  });
  return uPlot.join(tables);
}

function dash(index: number): number[] {
  const round = Math.floor(index / COLOURS.length);
  if (round === 0) return index % 2 === 0 ? [] : [8, 3];
  return round === 1 ? [3, 3] : [12, 6];
}

class Chart {
  private chart: uPlot | undefined;
  private isQuiet = false;
  private readonly holder = el("div", { class: "zoomable", hidden: true });
  private readonly button = el("button", { type: "button" }, "Fixed plot");
  private readonly group: string;

  constructor(
    private readonly id: string,
    private readonly drawing: HTMLElement,
    private readonly plot: Plot,
  ) {
    this.group = `${plot.x.unit}|${plot.x.label}`;
    this.holder.setAttribute("role", "img");
    this.holder.setAttribute("aria-label", plot.title);
    drawing.after(this.holder, el("div", { class: "plot-tools" }, this.button));
    this.button.addEventListener("click", () => (this.chart ? this.still() : this.draw()));
    theme.onChange(() => this.chart && this.draw());
    addEventListener("resize", () => this.chart?.setSize(this.size()));
    state.watch(() => this.zoomToAddress());
  }

  private size(): { width: number; height: number } {
    return { width: Math.min(this.holder.clientWidth || 720, 1100), height: HEIGHT };
  }

  /** Shows the zoomable chart. */
  draw(): void {
    this.chart?.destroy();
    this.holder.hidden = false;
    this.drawing.classList.add("print-only");
    this.button.textContent = "Fixed plot";
    this.chart = new uPlot(this.options(), aligned(this.plot), this.holder);
    live.add(this);
    this.zoomToAddress();
  }

  /** Shows the drawing again. */
  private still(): void {
    this.chart?.destroy();
    this.chart = undefined;
    live.delete(this);
    this.holder.hidden = true;
    this.drawing.classList.remove("print-only");
    this.button.textContent = "Zoomable plot";
  }

  private options(): uPlot.Options {
    const { x, y } = this.plot;
    const yScale = scale(y);
    if (!y.log) yScale.range = (_, __, max) => [0, (max || 1) * 1.04];
    return {
      ...this.size(),
      padding: [8, 40, null, null],
      scales: { x: scale(x), y: yScale },
      axes: [axis(x, {}), axis(y, { size: 70 })],
      series: [
        { label: x.label, value: (_, v) => (v === null ? "" : show(x.unit, v)) },
        ...this.plot.series.map((series, i) => this.series(series, i)),
      ],
      cursor: { drag: { x: true, y: false }, sync: { key: this.group, scales: ["x", null] } },
      hooks: { setScale: [(_, key) => key === "x" && this.zoomed()] },
    };
  }

  private series(series: Series, index: number): uPlot.Series {
    const colour = COLOURS[index % COLOURS.length]!;
    return {
      label: series.name,
      stroke: colour,
      width: 2,
      dash: dash(index),
      spanGaps: true,
      points: { show: series.marked, size: 7, fill: colour },
      value: (_, v) => (v === null ? "" : show(this.plot.y.unit, v)),
    };
  }

  /** All of x: what a double click returns to. */
  private whole(): [number, number] {
    const xs = this.chart?.data[0] ?? [];
    return [xs[0] ?? 0, xs[xs.length - 1] ?? 1];
  }

  /** Takes the zoom over to the address and to the charts of the group. */
  private zoomed(): void {
    const { min, max } = this.chart?.scales.x ?? {};
    if (this.isQuiet || min === undefined || max === undefined) return;
    const [first, last] = this.whole();
    const isZoomed = min > first || max < last;
    state.set(`${this.id}.zoom`, isZoomed ? `${min}:${max}` : undefined);
    for (const other of live) {
      if (other !== this && other.group === this.group) {
        if (isZoomed) other.zoom(min, max);
        else other.zoom(...other.whole());
      }
    }
  }

  private zoom(min: number, max: number): void {
    this.isQuiet = true;
    this.chart?.batch(() => this.chart?.setScale("x", { min, max }));
    this.isQuiet = false;
  }

  private zoomToAddress(): void {
    const [min, max] = (state.get(`${this.id}.zoom`) ?? "").split(":").map(Number);
    if (!this.chart || min === undefined) return;
    if (max !== undefined && max > min) this.zoom(min, max);
  }
}

/** Gives every plot whose data the page carries its zoomable form, once it is in view. */
export function start(): void {
  const text = document.getElementById("plots")?.textContent ?? "{}";
  const plots = JSON.parse(text) as Record<string, Plot>;
  const charts = new Map<Element, Chart>();
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        charts.get(entry.target)?.draw();
      }
    },
    { rootMargin: "200px" },
  );
  for (const figure of all<HTMLElement>(document, "figure[data-plot]")) {
    const id = figure.dataset.plot ?? "";
    const [plot, drawing] = [plots[id], figure.querySelector<HTMLElement>(".drawing")];
    if (!plot || !drawing) continue;
    charts.set(figure, new Chart(id, drawing, plot));
    seen.observe(figure);
  }
}
