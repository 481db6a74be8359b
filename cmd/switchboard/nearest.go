package main

import "strings"

// nearest returns the known name that was most likely meant: one that ends in
// name as a part of its own, else the one that is few letters away, else "".
func nearest(name string, known []string) string {
	best, distance := "", 1+max(2, len(name)/4)
	for _, k := range known {
		if strings.HasSuffix(k, "."+name) || strings.HasSuffix(k, "-"+name) {
			return k
		}
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// didYouMean returns the end of an error text, or "" without a suggestion.
func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

// editDistance returns how many letters must be inserted, removed or replaced
// to make a of b, counted row by row.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
