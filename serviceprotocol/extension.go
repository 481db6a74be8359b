package serviceprotocol

// Keys of the extension map, a map from int to a value that depends on the key.
// Readers of releases up to 1.25 lose their place at a key that they do not
// expect in a message, so each message writes only those it has always had.
//
// Source: azure-signalr ServiceMessage.cs, ExtensibleServiceMessage.
const (
	keyTracingID = 1 // uint64
	keyTTL       = 2 // int32, seconds
	keyProtocol  = 3 // str, name of a hub protocol
	keyFilter    = 4 // str, which subscribers a multicast is for
	keyDataType  = 5 // int, DataMessageType
	keyPartial   = 6 // bool
)

// Sets of keys, one bit for each.
const (
	withTracingID = 1 << keyTracingID
	withTTL       = 1 << keyTTL
	withProtocol  = 1 << keyProtocol
	withFilter    = 1 << keyFilter
	withDataType  = 1 << keyDataType
	withPartial   = 1 << keyPartial
)

// An extension is what an extension map can say. Its zero value is the empty map.
type extension struct {
	tracingID uint64
	ttl       *int
	protocol  string
	filter    string
	dataType  DataMessageType
	partial   bool
}

// append writes the keys that are set, in their order.
func (e extension) append(b []byte) []byte {
	start := len(b)
	b = append(b, fixMap)
	if e.tracingID != 0 {
		b[start]++
		b = appendUint(append(b, keyTracingID), e.tracingID)
	}
	if e.ttl != nil {
		b[start]++
		b = appendInt(append(b, keyTTL), *e.ttl)
	}
	if e.protocol != "" {
		b[start]++
		b = appendStr(append(b, keyProtocol), e.protocol)
	}
	if e.filter != "" {
		b[start]++
		b = appendStr(append(b, keyFilter), e.filter)
	}
	if e.dataType != 0 {
		b[start]++
		b = appendInt(append(b, keyDataType), int(e.dataType))
	}
	if e.partial {
		b[start]++
		b = append(b, keyPartial, markTrue)
	}
	return b
}

// appendTracingID writes the map of a message that has a tracing id and no more.
func appendTracingID(b []byte, id uint64) []byte {
	if id == 0 {
		return append(b, fixMap)
	}
	return appendUint(append(b, fixMap|1, keyTracingID), id)
}

// appendNoExtension writes the map of a message that has no keys at all.
func appendNoExtension(b []byte) []byte {
	return append(b, fixMap)
}

// extension reads the map's keys that are in the set, and skips the others.
func (r *reader) extension(set uint) (e extension) {
	if len(r.b) > 0 && r.b[0] == fixMap {
		r.b = r.b[1:]
		return e
	}
	for n := r.mapLen("ext"); n > 0 && r.err == nil; n-- {
		key := r.int("ext key")
		if key < 0 || key > keyPartial || set&(1<<key) == 0 {
			r.skip("ext")
			continue
		}
		e.read(r, key)
	}
	return e
}

func (e *extension) read(r *reader, key int) {
	switch key {
	case keyTracingID:
		e.tracingID = r.uint64("tracingId")
	case keyTTL:
		e.ttl = new(r.int("ttl"))
	case keyProtocol:
		e.protocol = r.str("protocol")
	case keyFilter:
		e.filter = r.str("filter")
	case keyDataType:
		e.dataType = DataMessageType(r.int("dataMessageType"))
	case keyPartial:
		e.partial = r.bool("isPartial")
	}
}

// tracingID reads the map of a message that has a tracing id and no more.
func (r *reader) tracingID() uint64 {
	return r.extension(withTracingID).tracingID
}

// skipExtension passes over the map of a message that has no keys, if the
// message has the n elements that it takes for the map to be there.
func (r *reader) skipExtension(n int) {
	if r.n >= n {
		r.skip("ext")
	}
}
