package appserver

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// serveScript answers with JavaScript that makes a proxy for each hub: $.connection.chat, with the
// hub's methods in its server and the page's in its client.
//
// Source of its behaviour: SignalR Core/Scripts/hubs.js, Core/Hubs/DefaultJavaScriptProxyGenerator.cs.
func (app *application) serveScript(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimRight(r.URL.Path, "/")
	script := []byte(app.script(path[:strings.LastIndexByte(path, '/')]))
	w.Header().Set("Content-Type", "application/javascript; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(script)))
	_, _ = w.Write(script)
}

const scriptBegin = `(function ($, window) {
  "use strict";
  if (typeof $.signalR !== "function") {
    throw new Error("SignalR: jquery.signalR has to be loaded before this script.");
  }

  // What a page puts into proxy.client is called with the proxy as this.
  function each(proxies, change) {
    Object.keys(proxies).forEach(function (name) {
      var proxy = proxies[name];
      if (!proxy.hubName) {
        return;
      }
      Object.keys(proxy.client).forEach(function (method) {
        var handler = proxy.client[method];
        if (typeof handler === "function") {
          change(proxy, method, handler);
        }
      });
    });
  }

  function subscribe(proxy, method, handler) {
    proxy.on(method, function () { handler.apply(proxy, arguments); }, handler);
  }

  function unsubscribe(proxy, method, handler) {
    proxy.off(method, handler);
  }

  function server(proxy, methods) {
    Object.keys(methods).forEach(function (name) {
      proxy.server[name] = function () {
        return proxy.invoke.apply(proxy, [methods[name]].concat([].slice.call(arguments)));
      };
    });
  }

  $.hubConnection.prototype.createHubProxies = function () {
    var proxies = {};
    this.starting(function () {
      each(proxies, subscribe);
      this._registerSubscribedHubs();
    }).disconnected(function () {
      each(proxies, unsubscribe);
    });

`

const scriptEnd = `
    return proxies;
  };

  $.signalR.hub = $.hubConnection(%s, { useDefaultPath: false });
  $.extend($.signalR, $.signalR.hub.createHubProxies());
}(window.jQuery, window));
`

// script returns the script for pages whose connection goes to path.
func (app *application) script(path string) string {
	var b strings.Builder
	b.WriteString(scriptBegin)
	for _, h := range app.sorted() {
		methods := map[string]string{} // by the name in the proxy
		for _, m := range h.methods {
			methods[lowerFirst(m.wireName)] = m.wireName
		}
		name := lowerFirst(h.config.Name)
		fmt.Fprintf(&b, "    proxies[%[1]s] = this.createHubProxy(%[1]s);\n    proxies[%[1]s].client = {};\n    proxies[%[1]s].server = {};\n    server(proxies[%[1]s], {", quoted(name))
		for i, key := range slices.Sorted(maps.Keys(methods)) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quoted(key) + ": " + quoted(methods[key]))
		}
		b.WriteString("});\n")
	}
	fmt.Fprintf(&b, scriptEnd, quoted(path))
	return b.String()
}

// quoted returns a JavaScript string; json.Marshal also escapes what would end a script element.
func quoted(text string) string {
	b, _ := json.Marshal(text) // a string can always be encoded
	return string(b)
}
