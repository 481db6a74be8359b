"use strict";

// The longest wait for anything, in milliseconds.
const longest = 10000;

// within returns what promise resolves to, or throws when that takes too long.
module.exports = async function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${longest} ms`)), longest);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
};
