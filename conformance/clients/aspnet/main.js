"use strict";

// Runs every case with a version of the classic client, in pages of Chromium whose origin is another
// than that of the app server and of the service. Usage:
// CHROMIUM=path node main.js VERSION redirect|direct TRANSPORT ORIGIN

const assert = require("node:assert/strict");
const { once } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { chromium } = require("playwright-core");

const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

const [version, mode, transport, origin] = process.argv.slice(2);
const here = (file) => fs.readFileSync(path.join(__dirname, file), "utf8");
const script = (file) => fs.readFileSync(require.resolve(file), "utf8");
const files = {
  "/": ["text/html", "<!doctype html><title>conformance</title>"],
  "/jquery.js": ["text/javascript", script("jquery/dist/jquery.js")],
  "/signalr.js": ["text/javascript", script(`signalr-aspnet-${version}/jquery.signalR.js`)],
  "/cases.js": ["text/javascript", here("cases.js")],
};

function serve(request, response) {
  const [type, body] = files[request.url] ?? [];
  response.writeHead(type ? 200 : 404, { "Content-Type": `${type ?? "text/plain"};charset=utf-8` });
  response.end(body);
}

async function main() {
  assert.equal(require(`signalr-aspnet-${version}/package.json`).version, version);
  const server = http.createServer(serve).listen(0, "127.0.0.1");
  await once(server, "listening");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (e) => errors.push(e.message));
    await page.exposeFunction("report", (line) => { process.stdout.write(JSON.stringify(line) + "\n"); });
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const scripts = ["/jquery.js", "/signalr.js", "/cases.js"];
    if (mode === "redirect") scripts.splice(2, 0, `${origin}/signalr/hubs`);
    for (const url of scripts) await page.addScriptTag({ url });
    const cases = await page.evaluate((world) => globalThis.runCases(world), { version, mode, transport, origin });
    assert.deepEqual(errors, [], "errors that no case has caught");
    process.stdout.write(JSON.stringify({ end: true, cases }) + "\n");
  } finally {
    await browser.close();
    server.close();
  }
}

main().then(() => process.exit(0));
