"use strict";

const { setTimeout: pause } = require("node:timers/promises");
const within = require("./within");

// The time between two attempts to connect, in milliseconds.
const retryDelay = 50;

// A Peer is a connection of the official client, with what has happened to it.
class Peer {
  constructor(connection, log, exchanges) {
    this.connection = connection;
    this.log = log;             // what the client logged
    this.exchanges = exchanges; // its HTTP requests and their answers
    this.inbox = [];            // values that the hub sent and no case has looked at
    this.reconnecting = [];     // errors, one for each time
    this.reconnected = [];      // new connection ids
    this.closed = [];           // errors, one for each onclose
    this.watchers = new Set();
    connection.on("Receive", (value) => this.note(this.inbox, value));
    connection.onclose((error) => this.note(this.closed, error));
    if (connection.onreconnecting) {
      connection.onreconnecting((error) => this.note(this.reconnecting, error));
      connection.onreconnected((id) => this.note(this.reconnected, id));
    }
  }

  note(list, value) {
    list.push(value);
    this.changed();
  }

  changed() {
    for (const watcher of this.watchers) watcher();
  }

  // until waits for condition, which is looked at whenever something happens.
  async until(condition, what) {
    let watcher;
    const met = new Promise((resolve) => {
      watcher = () => condition() && resolve();
      this.watchers.add(watcher);
      watcher();
    });
    try {
      await within(met, what);
    } finally {
      this.watchers.delete(watcher);
    }
  }

  invoke(method, ...args) {
    return within(this.connection.invoke(method, ...args), `answer to ${method}`);
  }

  send(method, ...args) {
    return within(this.connection.send(method, ...args), `end of sending ${method}`);
  }

  start() {
    return within(this.connection.start(), "connection");
  }

  // startAgain starts as soon as the app server lets it, as an application would.
  async startAgain() {
    let late = false;
    const started = async () => {
      while (!late) {
        if (await this.connection.start().then(() => true, () => false)) return;
        await pause(retryDelay);
      }
    };
    await within(started(), "connection").finally(() => (late = true));
  }

  stop() {
    return within(this.connection.stop(), "end of stop");
  }

  // received waits for count values and returns everything that has come.
  async received(count) {
    await this.until(() => this.inbox.length >= count, `${count} messages`);
    return this.inbox.splice(0);
  }

  // end waits for onclose and returns the text of its error, or undefined.
  async end() {
    await this.until(() => this.closed.length > 0, "onclose");
    return this.closed.shift()?.message;
  }

  // id asks the hub, since old clients do not know it.
  id() {
    return this.invoke("ConnectionID");
  }
};

module.exports = { Peer, retryDelay };
