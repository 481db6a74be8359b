package hubprotocol

// fields turns the raw properties of one message into Go values and remembers
// the first that is wrong. All raw values have been checked by a scanner.
//
// Optional properties may be null, which counts as left out. Peers should not
// write that, and [Protocol.Append] never does, but nothing is unclear about it.
type fields struct {
	kind Type
	err  error
}

func (f *fields) fail(field, reason string) {
	if f.err == nil {
		f.err = f.kind.fault(field, reason)
	}
}

// present tells whether an optional property is there.
func present(raw []byte) bool {
	return raw != nil && raw[0] != 'n'
}

// text reads a string that must be there.
func (f *fields) text(field string, raw []byte) string {
	if raw == nil || raw[0] != '"' {
		f.fail(field, "not a string")
		return ""
	}
	return string(plain(raw))
}

// optional reads a string that may be missing.
func (f *fields) optional(field string, raw []byte) string {
	if !present(raw) {
		return ""
	}
	return f.text(field, raw)
}

// id reads an invocationId that must be there.
func (f *fields) id(raw []byte) string {
	id := f.optional("invocationId", raw)
	f.require(id)
	return id
}

func (f *fields) require(id string) {
	if id == "" {
		f.fail("invocationId", "missing or empty")
	}
}

// value takes a property of any kind that must be there.
func (f *fields) value(field string, raw []byte) []byte {
	if raw == nil {
		f.fail(field, "missing")
	}
	return raw
}

func (f *fields) integer(field string, raw []byte) int64 {
	n, ok := integer(raw)
	if !ok {
		f.fail(field, "not an integer of 64 bits")
	}
	return n
}

func (f *fields) boolean(field string, raw []byte) bool {
	if present(raw) && raw[0] != 't' && raw[0] != 'f' {
		f.fail(field, "not a boolean")
	}
	return raw != nil && raw[0] == 't'
}

// texts reads an array of strings that may be missing; an empty one is nil.
func (f *fields) texts(field string, raw []byte) (list []string) {
	if !present(raw) {
		return nil
	}
	s := scanner{b: raw}
	elements, err := s.elements()
	if err != nil || elements == nil {
		f.fail(field, "not an array")
	}
	for _, e := range elements {
		list = append(list, f.text(field, e))
	}
	return list
}

// headers reads the optional map of strings; an empty one is nil.
func (f *fields) headers(raw []byte) (headers map[string]string) {
	if !present(raw) {
		return nil
	}
	s := scanner{b: raw}
	err := s.properties(func(name []byte, s *scanner) error {
		value, err := s.value()
		if err != nil {
			return err
		}
		if headers == nil {
			headers = make(map[string]string)
		}
		headers[string(name)] = f.text("headers", value)
		return nil
	})
	if err != nil {
		f.fail("headers", "not an object")
	}
	return headers
}
