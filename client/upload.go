package client

import (
	"fmt"
	"reflect"

	"switchboard/hubprotocol"
	"switchboard/internal/gostream"
)

// An upload is a stream to the hub.
type upload struct {
	session *session
	id      string
	kind    gostream.Kind
	stream  reflect.Value
}

// newUpload returns nil for an argument that is no stream.
func newUpload(s *session, argument any) *upload {
	if argument == nil {
		return nil
	}
	kind, _ := gostream.Of(reflect.TypeOf(argument))
	if kind == gostream.None {
		return nil
	}
	return &upload{session: s, kind: kind, stream: reflect.ValueOf(argument)}
}

// send sends one item after the other, until the stream or the session ends.
func (u *upload) send() {
	s := u.session
	fault := u.sendItems()
	if s.life.Err() != nil {
		return
	}
	m := &hubprotocol.Completion{InvocationID: u.id}
	if fault != nil {
		m.HasError, m.Error = true, fault.Error()
	}
	if err := s.sendMessage(s.life, m); err != nil {
		s.config.Logger.Info("stream to the hub not ended", "error", err)
	}
}

func (u *upload) sendItems() (err error) {
	s := u.session
	if u.stream.IsNil() {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("stream panicked: %v", p)
			s.config.Logger.Error("stream to the hub panicked", "panic", p)
		}
	}()
	for item, err := range u.kind.Items(s.life, u.stream) {
		if err != nil {
			return err
		}
		raw, err := s.protocol.AppendValue(nil, item)
		if err != nil {
			return err
		}
		if err := s.sendMessage(s.life, &hubprotocol.StreamItem{InvocationID: u.id, Item: raw}); err != nil {
			return err
		}
	}
	return nil
}
