package accesstoken_test

import (
	"errors"
	"strings"
	"testing"

	"switchboard/accesstoken"
)

func TestHubName(t *testing.T) {
	long := strings.Repeat("a", 128)
	tests := []struct {
		name, application, hub string
		want                   string
		err                    error
	}{
		{"hub alone", "", "Chat", "chat", nil},
		{"with application", "Shop", "Chat", "shop_chat", nil},
		{"every symbol", "", "A9_`,.[]", "a9_`,.[]", nil},
		{"longest", long, long, long + "_" + long, nil},
		{"hub too long", "", long + "a", "", accesstoken.ErrHubName},
		{"hub empty", "shop", "", "", accesstoken.ErrHubName},
		{"hub begins with a digit", "", "1chat", "", accesstoken.ErrHubName},
		{"hub with a slash", "", "a/b", "", accesstoken.ErrHubName},
		{"hub with a line break at its end", "", "chat\n", "", accesstoken.ErrHubName},
		{"hub of other letters", "", "çhat", "", accesstoken.ErrHubName},
		{"application with a space", "my shop", "chat", "", accesstoken.ErrApplicationName},
		{"application too long", long + "a", "chat", "", accesstoken.ErrApplicationName},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := accesstoken.HubName(tt.application, tt.hub)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("HubName(%q, %q) = %q, %v; want %q, %v", tt.application, tt.hub, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestHubNameErrorsSayTheRule(t *testing.T) {
	const rule = "it must have 1 to 128 characters, the first a letter, the others letters, digits or any of _`,.[]"
	for err, want := range map[error]string{
		accesstoken.ErrHubName:         "invalid hub name: " + rule,
		accesstoken.ErrApplicationName: "invalid application name: " + rule,
	} {
		if err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
	}
}

func TestValidHubName(t *testing.T) {
	long := strings.Repeat("a", 128)
	longest, err := accesstoken.HubName(long, long)
	if err != nil {
		t.Fatalf("HubName: %v", err)
	}
	for name, want := range map[string]bool{
		"chat": true, "shop_chat": true, longest: true,
		"": false, "1chat": false, "a/b": false, "chat\n": false, longest + "a": false,
	} {
		if got := accesstoken.ValidHubName(name); got != want {
			t.Errorf("ValidHubName(%q) = %v, want %v", name, got, want)
		}
	}
}
