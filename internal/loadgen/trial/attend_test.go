package trial_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/internal/loadgen/trial"
)

func TestAttendObeys(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "cpu")
	orders := strings.Join([]string{"collect", "profile " + profile, "end-profile", "end-profile", "dance", "profile /nowhere/cpu"}, "\n")
	var answers strings.Builder
	if err := trial.Attend("http://here", strings.NewReader(orders), &answers); err != nil {
		t.Fatal(err)
	}
	want := []string{"ready http://here", "done", "done", "done", "done", `order "dance" is not known`, "open /nowhere/cpu: "}
	got := strings.Split(strings.TrimSpace(answers.String()), "\n")
	if len(got) != len(want) {
		t.Fatalf("answers = %q, want %q", got, want)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("answer %d = %q, want %q", i, got[i], want[i])
		}
	}
	if s, err := os.Stat(profile); err != nil || s.Size() == 0 {
		t.Errorf("profile: %v", err)
	}
}
