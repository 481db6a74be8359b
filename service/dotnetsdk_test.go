package service_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
	"github.com/vmihailenco/msgpack/v5"

	"switchboard/internal/servicetest"
	"switchboard/service"
	"switchboard/serviceprotocol"
)

// A dotnetSDK behaves on the wire as the package Microsoft.Azure.SignalR does.
// It shares no code with the service: its reader is as strict as that of
// version 1.25, which loses sync at extension keys it does not know, throws at
// nil where it expects text, and compares nothing about frame boundaries.
type dotnetSDK struct {
	t        *testing.T
	ws       *websocket.Conn
	received []byte // not read yet
	lastPing time.Time
	pings    int // from the service
}

// dialDotnetSDK connects with a token as the SDK signs it: the audience is made
// of the connection string's endpoint without its port, and kid is random.
func dialDotnetSDK(t *testing.T, svc *servicetest.Service, hub string, header http.Header) *dotnetSDK {
	t.Helper()
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"nameid": "MACHINE_0123456789abcdef", "aud": "http://localhost/server/?hub=" + hub,
		"nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	token.Header["kid"] = fmt.Sprint(-now.UnixNano() % 2147483647)
	signed, err := token.SignedString([]byte(servicetest.Key))
	if err != nil {
		t.Fatal(err)
	}
	if header == nil {
		header = http.Header{}
	}
	header.Set("Authorization", "Bearer "+signed)
	header.Set("Asrs-User-Agent", "Microsoft.Azure.SignalR/1.25.1 (.NET 8.0.3; Linux; X64)")
	header.Set("X-Requested-With", "XMLHttpRequest")
	ctx, cancel := context.WithTimeout(t.Context(), servicetest.Wait)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, strings.Replace(svc.URL, "http", "ws", 1)+"/server/?hub="+hub+"&cid=7e2b7d3c-0000-4000-8000-000000000001",
		&websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &dotnetSDK{t: t, ws: ws, lastPing: now}
}

// write sends arrays in one WebSocket message, cut in two where cut says.
func (s *dotnetSDK) write(arrays ...[]any) {
	s.t.Helper()
	var all []byte
	for _, array := range arrays {
		var body bytes.Buffer
		enc := msgpack.NewEncoder(&body)
		enc.UseCompactInts(true)
		if err := enc.Encode(array); err != nil {
			s.t.Fatal(err)
		}
		all = append(binary.AppendUvarint(all, uint64(body.Len())), body.Bytes()...)
	}
	half := len(all) / 2 // frame boundaries mean nothing
	for _, part := range [][]byte{all[:half], all[half:]} {
		ctx, cancel := context.WithTimeout(s.t.Context(), servicetest.Wait)
		err := s.ws.Write(ctx, websocket.MessageBinary, part)
		cancel()
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// read returns the next message that is no keep-alive.
func (s *dotnetSDK) read() []any {
	s.t.Helper()
	for {
		m := s.readAny()
		if len(m) == 1 && number(m[0]) == 3 {
			s.pings++
			continue
		}
		return m
	}
}

func (s *dotnetSDK) readAny() []any {
	s.t.Helper()
	for {
		length, n := binary.Uvarint(s.received)
		if n > 0 && len(s.received) >= n+int(length) {
			body := s.received[n : n+int(length)]
			s.received = s.received[n+int(length):]
			return s.decode(body)
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), servicetest.Wait)
		kind, data, err := s.ws.Read(ctx)
		cancel()
		if err != nil {
			s.t.Fatal(err)
		}
		if kind != websocket.MessageBinary {
			s.t.Fatalf("the service sent a message of kind %v, want binary", kind)
		}
		s.received = append(s.received, data...)
		if time.Since(s.lastPing) > 5*time.Second { // only ever after receiving
			s.lastPing = time.Now()
			s.write([]any{3})
		}
	}
}

// extensions that version 1.25 can read, by message type; -1: the element must be missing.
var strictExtensions = map[int]struct {
	length, at int
	keys       []int
}{
	2: {4, 2, nil}, 4: {6, 5, []int{1, 3}}, 5: {5, 4, []int{1}}, 6: {4, 3, []int{1}}, 20: {5, 4, nil}, 3: {0, -1, nil},
}

func (s *dotnetSDK) decode(body []byte) []any {
	s.t.Helper()
	dec := msgpack.NewDecoder(bytes.NewReader(body))
	dec.SetMapDecoder(func(d *msgpack.Decoder) (any, error) { // in order, repeated keys kept
		n, err := d.DecodeMapLen()
		if err != nil {
			return nil, err
		}
		pairs := [][2]any{}
		for range n {
			key, err := d.DecodeInterface()
			if err != nil {
				return nil, err
			}
			value, err := d.DecodeInterface()
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, [2]any{key, value})
		}
		return pairs, nil
	})
	array, err := dec.DecodeSlice()
	if err != nil {
		s.t.Fatalf("the service sent %x: %v", body, err)
	}
	s.checkExtensions(array)
	return array
}

func (s *dotnetSDK) checkExtensions(array []any) {
	s.t.Helper()
	rule, known := strictExtensions[number(array[0])]
	if !known {
		s.t.Fatalf("the service sent type %v, which this SDK never needs", array[0])
	}
	if rule.at < 0 {
		return
	}
	if len(array) != rule.length {
		s.t.Fatalf("type %v has %d elements, want %d", array[0], len(array), rule.length)
	}
	for _, pair := range array[rule.at].([][2]any) {
		allowed := false
		for _, key := range rule.keys {
			allowed = allowed || number(pair[0]) == key
		}
		if !allowed {
			s.t.Fatalf("type %v carries extension %v, which version 1.25 cannot read", array[0], pair[0])
		}
	}
}

func number(v any) int {
	var n int
	_, _ = fmt.Sscan(fmt.Sprint(v), &n)
	return n
}

func TestDotnetSDK(t *testing.T) {
	versions := []struct {
		name      string
		header    http.Header
		handshake []any
		ext       map[int]any // on what it sends for clients
		serverID  string
	}{
		{"1.0 to 1.10, id in the token only", nil, []any{1, 1}, map[int]any{}, "MACHINE_0123456789abcdef"},
		{"1.25", http.Header{"X-Asrs-Server-Id": {"HOST_1"}}, []any{1, 1, 0, "", 0, map[int]any{}}, map[int]any{}, "HOST_1"},
		{"1.33, typed data and unknown extensions", http.Header{"X-Asrs-Server-Id": {"HOST_1"}},
			[]any{1, 1, 0, "", 0, map[int]any{}, false}, map[int]any{5: 2, 99: []any{"future", map[string]any{"x": nil}}}, "HOST_1"},
	}
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			svc := servicetest.Start(t, service.Config{Timeouts: service.Timeouts{Ping: 20 * time.Millisecond}})
			sdk := dialDotnetSDK(t, svc, "chat", v.header)
			sdk.write(v.handshake)
			if got, want := fmt.Sprint(sdk.read()), "[2  [] 7e2b7d3c-0000-4000-8000-000000000001]"; got != want {
				t.Fatalf("handshake response = %s, want %s", got, want)
			}
			sdk.write([]any{3, "status", "1"}, []any{3, "servers", ""})
			if got, want := fmt.Sprint(sdk.read()), "[3 status 0 clientcount 0 servercount 1]"; got != want {
				t.Errorf("status = %s, want %s", got, want)
			}
			if got := fmt.Sprint(sdk.read()[2]); !strings.HasSuffix(got, ":"+v.serverID) {
				t.Errorf("servers = %s, want a time and %s", got, v.serverID)
			}

			client := svc.Client("chat", "json", derror)
			open := sdk.read()
			id := open[1].(string)
			for _, pair := range open[2].([][2]any) {
				if pair[0] == nil || pair[1] == nil {
					t.Errorf("claim %v, want no nil", pair)
				}
			}
			for _, pair := range open[3].([][2]any) {
				if values := pair[1].([]any); len(values) == 0 {
					t.Errorf("header %v has no value", pair[0])
				}
			}
			if query := open[4].(string); !strings.HasPrefix(query, "?") {
				t.Errorf("query string = %q, want a question mark first", query)
			}
			if got, want := fmt.Sprint(open[5]), "[[3 json]]"; got != want {
				t.Errorf("extensions of OpenConnection = %s, want %s", got, want)
			}
			if data := sdk.read(); string(data[2].([]byte)) != `{"protocol":"json","version":1}`+"\x1e" {
				t.Errorf("first data = %q, want the handshake request", data[2])
			}

			// What OnConnectedAsync sends overtakes the handshake response, which is cut in two.
			hello := `{"type":1,"target":"hello","arguments":[]}` + "\x1e"
			sdk.write(
				[]any{7, []any{id}, map[string]any{"json": []byte(hello), "messagepack": []byte{0}}, v.ext},
				[]any{6, id, []byte("{"), v.ext}, []any{6, id, []byte("}\x1e"), v.ext},
			)
			client.Expect("{}\x1e" + hello)

			sdk.write([]any{18, id, "room", 1, map[int]any{}},
				[]any{13, "room", []any{}, map[string]any{"JSON": []byte(hello)}, map[int]any{}, []any{}, nil},
				[]any{18, "nobody", "room", 2, map[int]any{}})
			if got, want := fmt.Sprint(sdk.read(), sdk.read()), "[20 1 1  []] [20 2 2  []]"; got != want {
				t.Errorf("acks = %s, want %s", got, want)
			}
			client.Expect(hello)

			_ = client.Close(websocket.StatusNormalClosure, "")
			if got, want := fmt.Sprint(sdk.read()), "[5 "+id+"  [] []]"; got != want {
				t.Errorf("close = %s, want %s", got, want)
			}
			for sdk.pings == 0 { // the SDK pings only if the service does
				if m := sdk.readAny(); len(m) == 1 {
					sdk.pings++
				}
			}
			sdk.write([]any{200, "a future type"}, []any{3, "echo", "alive"})
			if got, want := fmt.Sprint(sdk.read()), "[3 echo alive]"; got != want {
				t.Errorf("echo = %s, want %s", got, want)
			}
			_ = sdk.ws.Close(websocket.StatusNormalClosure, "")
		})
	}
}

// A bad token must be a 401 to the upgrade: the SDK looks for that status.
func TestDotnetSDKWithWrongKey(t *testing.T) {
	svc := servicetest.Start(t, service.Config{AccessKeys: []string{"another key"}})
	_, err := svc.DialAppServer("chat", serviceprotocol.HandshakeRequest{Version: 1})
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("error = %v, want a 401", err)
	}
}
