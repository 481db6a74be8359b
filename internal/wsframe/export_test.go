package wsframe

// Holds reports whether the Reader keeps a part of a control frame.
func (r *Reader) Holds() bool { return r.held != nil }
