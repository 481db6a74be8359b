package groups_test

import "unsafe"

// alias returns a string that is the bytes of b, as those of messages are.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
