package requests_test

import (
	"net/url"
	"testing"

	"switchboard/internal/clientconn/requests"
)

// Secrets are left out however their names are written; all else stays as it came.
func TestWithoutSecrets(t *testing.T) {
	tests := []struct{ query, token, want string }{
		{"", "", ""},
		{"a=1&&b=[x:y]&c", "", "?a=1&b=[x:y]&c"},
		{"access_token=s&a=1", "", "?a=1"},
		{"access%5Ftoken=s&ACCESS_TOKEN=s", "", ""},
		{"id=secret&a=secret2", "secret", "?a=secret2"},
		{"%zz=1", "", "?%zz=1"},
	}
	for _, tt := range tests {
		if got := requests.WithoutSecrets(&url.URL{RawQuery: tt.query}, tt.token); got != tt.want {
			t.Errorf("WithoutSecrets(%q, %q) = %q, want %q", tt.query, tt.token, got, tt.want)
		}
	}
}
