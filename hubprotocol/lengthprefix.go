package hubprotocol

import (
	"encoding/binary"
	"errors"
	"slices"
)

const (
	maxPrefix = 5          // bytes of a length prefix
	maxBody   = 0x7fffffff // bytes of a message body, 2 GB - 1
)

// lengthPrefix reads the varint in front of a MessagePack message: head is its
// own length, body that of the bytes to follow. An incomplete prefix gives head 0.
//
// Source: dotnet/aspnetcore BinaryMessageParser.cs, TryParseMessage.
func lengthPrefix(b []byte) (head, body int, err error) {
	n, head := binary.Uvarint(b[:min(len(b), maxPrefix)])
	switch {
	case head == 0 && len(b) < maxPrefix:
		return 0, 0, nil
	case head == 0 || n > maxBody:
		return 0, 0, &ParseError{Reason: "length prefix is over 2 GB"}
	}
	return head, int(n), nil
}

// insertPrefix puts the length of b[start:] in front of it.
func insertPrefix(b []byte, start int) ([]byte, error) {
	if len(b)-start > maxBody {
		return b[:start], errors.New("message is over 2 GB")
	}
	var prefix [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(prefix[:], uint64(len(b)-start))
	return slices.Insert(b, start, prefix[:n]...), nil
}
