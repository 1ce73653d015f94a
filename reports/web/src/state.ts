// The state of the page in its address: `#section&key=value&key=value`.
//
// A part without `=` is an anchor, as in any page. Values are percent-encoded. A key is absent while
// the page is in its first state, so a plain address stays plain.

const values = new Map<string, string>();
let anchor = "";
const watchers: (() => void)[] = [];

function read(): void {
  values.clear();
  anchor = "";
  for (const part of location.hash.slice(1).split("&")) {
    const at = part.indexOf("=");
    if (at > 0) {
      values.set(decode(part.slice(0, at)), decode(part.slice(at + 1)));
    } else if (part !== "") {
      anchor = decode(part);
    }
  }
}

/** A mangled escape is kept as it is: an address may come from a mail. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function write(): void {
  // Readable in a mail: what may stand in a fragment stays as it is.
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/%(3A|2C|2F|40)/g, (code) => decodeURIComponent(code));
  const parts = [...values].sort().map(([key, value]) => `${encode(key)}=${encode(value)}`);
  const hash = [...(anchor ? [encode(anchor)] : []), ...parts].join("&");
  const bare = location.pathname + location.search;
  history.replaceState(null, "", hash ? `#${hash}` : bare);
}

/** The value of a key, or nothing. */
export function get(key: string): string | undefined {
  return values.get(key);
}

/** Sets or, without a value, removes a key. */
export function set(key: string, value: string | undefined): void {
  if (value === undefined || value === "") {
    values.delete(key);
  } else {
    values.set(key, value);
  }
  write();
}

/** Names the section that the reader looks at. */
export function setAnchor(id: string): void {
  anchor = id;
  write();
}

/** Calls `apply` now and whenever the address changes. */
export function watch(apply: () => void): void {
  watchers.push(apply);
  apply();
}

/** Goes to the anchor, which a browser does itself only when it stands alone. */
export function scrollToAnchor(): void {
  if (anchor !== "" && values.size > 0) {
    document.getElementById(anchor)?.scrollIntoView();
  }
}

read();
addEventListener("hashchange", () => {
  read();
  watchers.forEach((apply) => apply());
  scrollToAnchor();
});
