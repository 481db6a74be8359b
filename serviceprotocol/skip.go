package serviceprotocol

// skip passes over one value of any MessagePack type. It counts the values still
// to come instead of calling itself, so that no depth of nesting costs more
// than its bytes.
func (r *reader) skip(field string) {
	for pending := 1; pending > 0 && r.err == nil; pending-- {
		pending += r.skipHead(field)
		if pending-1 > len(r.b) {
			r.fail(field, cutShort)
		}
	}
}

// skipHead passes over one value up to its elements, and returns their number.
func (r *reader) skipHead(field string) (elements int) {
	switch c := r.mark(field); {
	case c < fixMap, c >= fixNeg, c == markNil, c == markFalse, c == markTrue:
		r.take(1, field)
	case c < fixArr, c == markMap16, c == markMap16+1:
		return 2 * r.mapLen(field)
	case c < fixStr, c == markArr16, c == markArr16+1:
		return r.arrayLen(field)
	case c < markNil, c >= markStr8 && c < markArr16:
		r.strBytes(field)
	case c >= markBin8 && c <= markBin8+2:
		r.bytes(field)
	case c >= 0xc7 && c <= 0xc9: // ext with 8, 16 or 32 bits of length, and a type
		r.take(1+r.size(1<<(c-0xc7), field), field)
	case c == 0xca, c == 0xcb: // float of 32 or 64 bits
		r.wide(4<<(c-0xca), field)
	case c >= 0xd4 && c <= 0xd8: // ext of 1, 2, 4, 8 or 16 bytes, and a type
		r.take(2+1<<(c-0xd4), field)
	case isInt(c):
		r.number(field)
	default:
		r.fail(field, "not MessagePack")
	}
	return 0
}

func isMap(c byte) bool {
	return c&0xf0 == fixMap || c == markMap16 || c == markMap16+1
}

func isStr(c byte) bool {
	return c&0xe0 == fixStr || c >= markStr8 && c <= markStr8+2
}

func isInt(c byte) bool {
	return c < fixMap || c >= fixNeg || c >= markUint8 && c <= markInt8+3
}
