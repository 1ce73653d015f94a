// Figures as the page shows them: three significant digits and a scale that keeps them short. The
// same rules as `figure.rs`, for axes and legends of zoomed charts.

function significant(value: number): string {
  const size = Math.abs(value);
  const places = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 || size === 0 ? 2 : 3;
  return value.toFixed(places);
}

function scaled(value: number, step: number, units: string[], gap: string): string {
  let rest = value;
  let at = 0;
  while (Math.abs(rest) >= step - step / 2000 && at + 1 < units.length) {
    rest /= step;
    at += 1;
  }
  const digits = at === 0 && Number.isInteger(rest) ? String(rest) : significant(rest);
  return `${digits}${gap}${units[at]}`;
}

/** A value in the unit of an axis. */
export function show(unit: string, value: number): string {
  switch (unit) {
    case "ns":
      return scaled(value, 1000, ["ns", "us", "ms", "s"], "");
    case "%":
      return `${(value * 100).toFixed(1)}%`;
    case "bytes":
      return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"], " ");
    case "tail":
      return quantile(value);
    default:
      return scaled(value, 1000, ["", "k", "M", "G", "T"], "");
  }
}

/** 1 / (1 - q) as q in per cent: 1000 is 99.9%. */
function quantile(tail: number): string {
  const percent = 100 - 100 / tail;
  const nines = Math.max(0, Math.ceil(Math.log10(tail) - 2 - 1e-9));
  return `${percent.toFixed(Math.min(nines, 9))}%`;
}

/** A tick of an axis: the figure without digits that say nothing. */
export function tick(unit: string, value: number): string {
  return show(unit, value).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}
