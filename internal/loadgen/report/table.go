package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table writes the result for people at a terminal.
func Table(w io.Writer, r *Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.title())
	rows := r.rows()
	names, values := 0, 0
	for _, row := range rows {
		names, values = max(names, utf8.RuneCountInString(row.Name)), max(values, utf8.RuneCountInString(row.Value))
	}
	for _, row := range rows {
		fmt.Fprintf(&b, "  %-*s  %*s  %s\n", names, row.Name, values, row.Value, row.Note)
	}
	for _, text := range r.Warnings {
		fmt.Fprintf(&b, "\nNote: %s\n", text)
	}
	for _, text := range r.Errors {
		fmt.Fprintf(&b, "\nError: %s\n", text)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}
