"use strict";

// Runs every case as main.js does, in a page of Chromium, which comes from an origin of
// its own. Usage: CHROMIUM=path node browser.js VERSION PROTOCOL TRANSPORT ORIGIN

const assert = require("node:assert/strict");
const { once } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { chromium } = require("playwright-core");
const { expected, suites } = require("./run");
const versions = require("./versions");

const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

const [versionName, protocol, transportName, origin] = process.argv.slice(2);
const version = versions[versionName];
assert.ok(version, `unknown version ${versionName}`);

// bundle is a script that defines require for the page.
function bundle() {
  const names = ["run", "testcase", "peer", "within", "three", "versions", ...suites.map((suite) => `cases/${suite}`)];
  const modules = names.map((name) => {
    const source = fs.readFileSync(path.join(__dirname, `${name}.js`), "utf8");
    return `${JSON.stringify(name)}(module, exports, require) {\n${source}\n}`;
  });
  return `const modules = {\n${modules.join(",\n")}\n};\n` + fs.readFileSync(path.join(__dirname, "page.js"), "utf8");
}

const client = (name, file) => fs.readFileSync(path.join(path.dirname(require.resolve(name)), "..", "browser", file));
const files = {
  "/": ["text/html", "<!doctype html><title>conformance</title>"],
  "/signalr.js": ["text/javascript", client(version.client, "signalr.js")],
  "/msgpack.js": ["text/javascript", client(version.msgpack, "signalr-protocol-msgpack.js")],
  "/bundle.js": ["text/javascript", bundle()],
};

function serve(request, response) {
  const [type, body] = files[request.url] ?? [];
  response.writeHead(type ? 200 : 404, { "Content-Type": `${type ?? "text/plain"};charset=utf-8` });
  response.end(body);
}

async function main() {
  const server = http.createServer(serve).listen(0, "127.0.0.1");
  await once(server, "listening");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
  try {
    const page = await browser.newPage();
    await page.exposeFunction("report", (line) => { process.stdout.write(JSON.stringify(line) + "\n"); });
    page.on("pageerror", (e) => {
      if (!expected(e.message)) throw e;
    });
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    for (const url of ["/signalr.js", "/msgpack.js", "/bundle.js"]) await page.addScriptTag({ url });
    await page.evaluate((world) => globalThis.runCases(world), { versionName, protocol, transportName, origin });
  } finally {
    await browser.close();
    server.close();
  }
}

main().then(() => process.exit(0));
