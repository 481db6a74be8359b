package wsdeflate_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"switchboard/internal/wsdeflate"
)

// inflate returns what a message inflates to, as far as that goes.
func inflate(message []byte, limit int) (got []byte, err error) {
	err = wsdeflate.Inflate(message, limit, func(piece []byte) error {
		got = append(got, piece...)
		return nil
	})
	return got, err
}

func TestWhatIsCompressedInflatesAgain(t *testing.T) {
	random := make([]byte, 100_000)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(random)
	for name, message := range map[string][]byte{
		"nothing":     {},
		"a byte":      {'x'},
		"text":        []byte(`{"type":1,"target":"Receive","arguments":["Hello, hello, hello"]}` + "\x1e"),
		"repetitions": bytes.Repeat([]byte("switchboard "), 50_000),
		"random":      random,
		"a piece":     bytes.Repeat([]byte("0123456789abcdef"), 1<<10),
	} {
		before := []byte("before")
		small := wsdeflate.Append(before, message)
		if !bytes.HasPrefix(small, before) {
			t.Errorf("%s: Append has changed what was there", name)
		}
		small = small[len(before):]
		got, err := inflate(small, len(message))
		if err != nil || !bytes.Equal(got, message) {
			t.Errorf("%s: inflates to %d bytes, %v, want %d", name, len(got), err, len(message))
		}
		if len(message) == 0 {
			continue
		}
		if got, err := inflate(small, len(message)-1); !errors.Is(err, wsdeflate.ErrTooLarge) || len(got) >= len(message) {
			t.Errorf("%s: with a limit below its size: %d bytes, %v, want ErrTooLarge", name, len(got), err)
		}
	}
}

// The examples of the RFC, which differ in the blocks that they use.
//
// Source: RFC 7692 section 7.2.3.
func TestInflatesTheExamplesOfTheRFC(t *testing.T) {
	for name, message := range map[string]string{
		"7.2.3.1 one block":               "\xf2\x48\xcd\xc9\xc9\x07\x00",
		"7.2.3.3 without compression":     "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
		"7.2.3.4 a last block":            "\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
		"7.2.3.5 two blocks":              "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
		"a last block, and another":       "\x01\x02\x00\xfd\xffHe\x00\x03\x00\xfc\xffllo\x00",
		"blocks after two of the last":    "\x01\x02\x00\xfd\xffHe\x01\x02\x00\xfd\xffll\x00\x01\x00\xfe\xffo\x00",
		"an empty block and a real one":   "\x00\x00\x00\xff\xff\xf2\x48\xcd\xc9\xc9\x07\x00",
		"empty last blocks, many of them": strings.Repeat("\x01\x00\x00\xff\xff", 100) + "\xf2\x48\xcd\xc9\xc9\x07\x00",
	} {
		if got, err := inflate([]byte(message), 5); err != nil || string(got) != "Hello" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := inflate([]byte{0}, 0); err != nil || len(got) > 0 { // 7.2.3.6
		t.Errorf("empty message: %q, %v", got, err)
	}
}

func TestRefusesWhatCannotBeInflated(t *testing.T) {
	whole := wsdeflate.Append(nil, []byte(strings.Repeat("a text that shall be compressed ", 20)))
	for name, message := range map[string][]byte{
		"nothing at all":       {},
		"an unknown block":     {0xff, 0xff, 0xff},
		"cut in a block":       whole[:len(whole)/2],
		"wrong length":         []byte("\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00"),
		"reference to nothing": {0x63, 0x00, 0x02, 0x00},
		"uncompressed text":    []byte(`{"type":6}` + "\x1e"),
	} {
		if got, err := inflate(message, 1<<20); !errors.Is(err, wsdeflate.ErrCorrupt) {
			t.Errorf("%s: %q, %v, want ErrCorrupt", name, got, err)
		}
	}
}

// A small message may inflate to very much; that is noticed before much of it is held.
func TestLimitsBombs(t *testing.T) {
	bomb := wsdeflate.Append(nil, make([]byte, 64<<20))
	taken, largest := 0, 0
	err := wsdeflate.Inflate(bomb, 1<<20, func(piece []byte) error {
		taken += len(piece)
		largest = max(largest, len(piece))
		return nil
	})
	if !errors.Is(err, wsdeflate.ErrTooLarge) || taken > 1<<20 || largest > 64<<10 {
		t.Errorf("of %d bytes that inflate to 64 MiB, %d were taken, at most %d at once, then %v", len(bomb), taken, largest, err)
	}
}

func TestErrorOfTakeEndsIt(t *testing.T) {
	enough := errors.New("enough")
	calls := 0
	err := wsdeflate.Inflate(wsdeflate.Append(nil, make([]byte, 1<<20)), 1<<20, func([]byte) error {
		calls++
		return enough
	})
	if err != enough || calls != 1 {
		t.Errorf("Inflate = %v after %d calls, want the error of the first", err, calls)
	}
}

func TestOffers(t *testing.T) {
	for offer, want := range map[string]bool{
		"":                   false,
		"permessage-deflate": true,
		"permessage-deflate; client_max_window_bits":                                 true, // browsers
		"permessage-deflate;client_max_window_bits=15":                               true,
		`permessage-deflate; client_max_window_bits="9"`:                             true,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": true, // .NET
		"\tpermessage-deflate ; client_no_context_takeover\t":                        true,
		"x-webkit-deflate-frame, permessage-deflate":                                 true,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":          true, // its second choice
		"permessage-deflate; server_max_window_bits=10":                              false,
		"permessage-deflate; server_max_window_bits=15":                              false,
		"permessage-deflate; client_max_window_bits=7":                               false,
		"permessage-deflate; client_max_window_bits=16":                              false,
		"permessage-deflate; client_max_window_bits=08":                              false,
		"permessage-deflate; client_max_window_bits=":                                false,
		"permessage-deflate; client_max_window_bits; client_max_window_bits":         false,
		"permessage-deflate; server_no_context_takeover=1":                           false,
		"permessage-deflate; server_no_context_takeover=":                            false,
		"permessage-deflate; something":                                              false,
		"permessage-deflate;":                                                        false,
		"permessage-bzip2":                                                           false,
		"permessage-deflate-2":                                                       false,
	} {
		if got := wsdeflate.Offered([]string{offer}); got != want {
			t.Errorf("Offered(%q) = %v, want %v", offer, got, want)
		}
	}
	if !wsdeflate.Offered([]string{"foo; bar=1", "permessage-deflate"}) {
		t.Error("an offer in a second header is not seen")
	}
	if wsdeflate.Offered(nil) {
		t.Error("no header offers something")
	}
}
