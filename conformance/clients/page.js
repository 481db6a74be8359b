// The end of what a page runs; modules is above it.

const builtin = {
  "node:timers/promises": { setTimeout: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) },
  "node:assert/strict": {
    deepStrictEqual(got, want) {
      if (!same(got, want)) throw new Error(`got ${show(got)}, want ${show(want)}`);
    },
  },
};

function show(value) {
  return value === undefined ? "undefined" : JSON.stringify(value);
}

function same(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return a.getTime() === b.getTime();
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && same(a[key], b[key]));
}

const loaded = {};

function load(name) {
  const file = name.replace(/^(\.\.?\/)+/, "");
  if (builtin[file]) return builtin[file];
  if (!loaded[file]) {
    const module = (loaded[file] = { exports: {} });
    modules[file](module, module.exports, load);
  }
  return loaded[file].exports;
}

globalThis.runCases = async ({ versionName, protocol, transportName, origin }) => {
  const version = load("versions")[versionName];
  const protocols = {
    json: () => new signalR.JsonHubProtocol(),
    messagepack: () => new signalR.protocols.msgpack.MessagePackHubProtocol(),
  };
  if (signalR.VERSION !== versionName) throw new Error("package.json and versions.js disagree");
  const transport = signalR.HttpTransportType[transportName];
  const world = { origin, version, signalr: signalR, protocols, protocol, transport, browser: true };
  const cases = await load("run").run(world, (suite) => load(`cases/${suite}`), (line) => globalThis.report(line));
  await globalThis.report({ end: true, cases });
};
