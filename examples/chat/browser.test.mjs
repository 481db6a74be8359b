// Drives the page as people would, each in a browser of their own. It is run by
// "go test ./examples/chat", which starts the app server and kills it on demand.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const { CHAT_URL: url, CHAT_CONTROL: control, CHROMIUM: executablePath, CHAT_SCREENSHOT: screenshot } = process.env;
assert.ok(url && control && executablePath, 'run this with "go test ./examples/chat"');

const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
let browser, ann, bob, eve;

// A Person is somebody at the page. Each step waits until the page shows its effect.
class Person {
  frames = []; // that the service has sent

  static async visit() {
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
    context.setDefaultTimeout(30_000);
    const person = new Person();
    person.page = await context.newPage();
    person.page.on("pageerror", (error) => assert.fail(error));
    person.page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => person.frames.push(payload)));
    await person.page.goto(url);
    return person;
  }

  static async enter(name) {
    const person = await Person.visit();
    await person.giveName(name);
    await person.state("connected");
    return person;
  }

  async giveName(name) {
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByRole("button", { name: "Enter" }).click();
  }

  state(...states) {
    return this.page.locator(states.map((state) => `#state[data-state="${state}"]`).join()).waitFor();
  }

  async open(conversation) {
    await this.page.getByRole("navigation").getByRole("button", { name: conversation }).click();
    await this.page.getByRole("heading", { level: 1, name: conversation }).waitFor();
  }

  async join(room) {
    await this.page.getByLabel("Room to join").fill(room);
    await this.page.getByRole("button", { name: "Join", exact: true }).click();
    await this.page.getByRole("heading", { level: 1, name: room }).waitFor();
  }

  async say(text) {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.getByRole("button", { name: "Send" }).click();
  }

  reads(text) {
    return this.page.getByRole("log").getByText(text, { exact: true }).waitFor();
  }

  wasSent(text) {
    return this.frames.some((frame) => frame.includes(text));
  }

  sees(name) {
    return this.page.locator("#people").getByText(name, { exact: true }).waitFor();
  }

  unread(conversation, n) {
    return this.page.getByRole("navigation").getByRole("button", { name: `${conversation} ${n} unread` }).waitFor();
  }

  leave() {
    return this.page.context().close();
  }
}

async function tell(order) {
  const answer = await fetch(`${control}/${order}`, { method: "POST" });
  assert.equal(answer.status, 200);
}

before(async () => {
  browser = await chromium.launch({ executablePath, args });
  ann = await Person.enter("ann");
  bob = await Person.enter("bob");
});

after(async () => {
  if (screenshot) await ann?.page.screenshot({ path: screenshot });
  await browser?.close();
});

test("each sees the other", async () => {
  await ann.sees("bob");
  await bob.sees("ann");
  await ann.reads("bob joined the chat");
});

test("a message to everyone", async () => {
  await ann.say("good morning");
  await Promise.all([ann.reads("good morning"), bob.reads("good morning")]);
});

test("markup is text", async () => {
  const markup = "<img src=x onerror=alert(1)>";
  await bob.say(markup);
  await ann.reads(markup);
});

test("a room is for its members", async () => {
  await ann.join("tea");
  await ann.say("only me");
  await ann.reads("only me");
  await ann.open("Everyone");
  await ann.say("after the room"); // what bob gets now comes after what he must not get
  await bob.reads("after the room");

  await bob.join("tea");
  await ann.open("tea");
  await ann.reads("bob entered the room");
  await ann.say("milk?");
  await Promise.all([ann.reads("milk?"), bob.reads("milk?")]);
  await bob.page.getByRole("button", { name: "Leave room" }).click();
  await ann.reads("bob left the room");
  await ann.say("gone");
  await ann.reads("gone");
  await ann.open("Everyone");
  await ann.say("after bob");
  await bob.reads("after bob");
  assert.deepEqual(["only me", "milk?", "gone"].filter((text) => bob.wasSent(text)), ["milk?"]);
});

test("a private message is for one person, until that one leaves", async () => {
  const carol = await Person.enter("carol");
  await ann.open("bob");
  await ann.say("between us");
  await ann.reads("between us");
  await bob.unread("ann", 1);
  await bob.open("ann");
  await bob.reads("between us");
  await ann.open("Everyone");
  await ann.say("after the secret");
  await carol.reads("after the secret");
  assert.deepEqual([carol.wasSent("after the secret"), carol.wasSent("between us")], [true, false]);

  await ann.open("carol");
  await carol.leave();
  await ann.page.locator("#people").getByText("left").waitFor();
  await ann.say("still there?");
  await ann.page.getByRole("alert").getByText("carol is not here.", { exact: true }).waitFor();
  await ann.open("Everyone");
  await ann.reads("carol left the chat");
});

test("somebody with the classic client takes part", async () => {
  eve = await Person.visit();
  await eve.page.getByRole("link", { name: "Use the client of ASP.NET SignalR" }).click();
  await eve.giveName("eve");
  await eve.state("connected");
  await Promise.all([ann.sees("eve"), eve.sees("ann"), ann.reads("eve joined the chat")]);
  await eve.say("hello from before");
  await Promise.all([ann.reads("hello from before"), eve.reads("hello from before")]);
  await ann.say("hello from after");
  await eve.reads("hello from after");
  assert.equal(eve.frames.some((frame) => frame.startsWith('{"C":')), true, "classic envelopes");

  await Promise.all([ann.join("old and new"), eve.join("old and new")]);
  await eve.say("in the room");
  await Promise.all([ann.reads("in the room"), eve.reads("in the room")]);
  await eve.open("ann");
  await eve.say("between generations");
  await ann.unread("eve", 1);
  await Promise.all([ann.open("Everyone"), eve.open("Everyone")]);
});

test("the app server is killed and comes back", async () => {
  await ann.join("cake");
  await bob.join("cake");
  await ann.reads("bob entered the room");
  const dave = await Person.visit();

  await tell("kill");
  await Promise.all([ann, bob, eve].map((person) => person.state("reconnecting", "disconnected")));
  await dave.giveName("dave"); // never was connected
  await dave.state("disconnected");

  await tell("start");
  await Promise.all([ann, bob, dave, eve].map((person) => person.state("connected")));
  await Promise.all([ann.sees("bob"), bob.sees("ann"), ann.sees("dave")]);
  await ann.say("still in the room");
  await Promise.all([ann.reads("still in the room"), bob.reads("still in the room")]);
  await Promise.all([ann.open("Everyone"), bob.open("Everyone")]);
  await bob.say("we are back");
  await Promise.all([ann.reads("we are back"), bob.reads("we are back"), dave.reads("we are back"), eve.reads("we are back")]);
  assert.deepEqual([dave.wasSent("we are back"), dave.wasSent("still in the room")], [true, false]);
});
