package mux

import (
	"context"
	"fmt"

	"switchboard/serviceprotocol"
)

// ProtocolVersion is the only version of the service protocol.
const ProtocolVersion = 1

// A HandshakeError is the refusal of a server connection.
type HandshakeError struct {
	Reason string // as sent to the app server in HandshakeResponse.Error
}

func (e *HandshakeError) Error() string { return "server connection refused: " + e.Reason }

// Accept reads the app server's handshake request, answers it and returns it.
// decide returns the reason for a refusal, or "". A refusal is written to the
// peer and returned as a *HandshakeError. It is called before Serve; ctx
// bounds the wait and ends the stream when it is done.
func (c *Conn) Accept(ctx context.Context, connectionID string, decide func(*serviceprotocol.HandshakeRequest) string) (*serviceprotocol.HandshakeRequest, error) {
	defer context.AfterFunc(ctx, func() { _ = c.stream.Abort() })()
	m, err := c.next()
	if err != nil {
		return nil, fmt.Errorf("read handshake request: %w", orCause(ctx, err))
	}
	request, ok := m.(*serviceprotocol.HandshakeRequest)
	if !ok {
		return nil, fmt.Errorf("read handshake request: first message is %v", m.Type())
	}
	request = cloneRequest(request)
	if reason := c.refusal(request, decide); reason != "" {
		_, _ = c.stream.Write(serviceprotocol.AppendFrame(nil, &serviceprotocol.HandshakeResponse{Error: reason}))
		_ = c.stream.Close()
		return nil, &HandshakeError{Reason: reason}
	}
	answer := &serviceprotocol.HandshakeResponse{ConnectionID: connectionID}
	if _, err := c.stream.Write(serviceprotocol.AppendFrame(nil, answer)); err != nil {
		return nil, fmt.Errorf("write handshake response: %w", orCause(ctx, err))
	}
	return request, nil
}

func (c *Conn) refusal(request *serviceprotocol.HandshakeRequest, decide func(*serviceprotocol.HandshakeRequest) string) string {
	if request.Version != ProtocolVersion {
		return fmt.Sprintf("Protocol version %d is not supported; this service speaks version %d.", request.Version, ProtocolVersion)
	}
	return decide(request)
}

// Handshake sends request and waits for the service's answer, which must be
// its first message. A refusal is a *HandshakeError. It is called before
// Serve; ctx bounds the wait and ends the stream when it is done.
func (c *Conn) Handshake(ctx context.Context, request *serviceprotocol.HandshakeRequest) error {
	defer context.AfterFunc(ctx, func() { _ = c.stream.Abort() })()
	if _, err := c.stream.Write(serviceprotocol.AppendFrame(nil, request)); err != nil {
		return fmt.Errorf("write handshake request: %w", orCause(ctx, err))
	}
	m, err := c.next()
	if err != nil {
		return fmt.Errorf("read handshake response: %w", orCause(ctx, err))
	}
	response, ok := m.(*serviceprotocol.HandshakeResponse)
	if !ok {
		return fmt.Errorf("read handshake response: first message is %v", m.Type())
	}
	if response.Error != "" {
		return &HandshakeError{Reason: string([]byte(response.Error))}
	}
	return nil
}

// orCause prefers the reason of an ended context to what the stream then said.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// cloneRequest frees request from the receive buffer.
func cloneRequest(request *serviceprotocol.HandshakeRequest) *serviceprotocol.HandshakeRequest {
	clone := *request
	clone.Target = string([]byte(request.Target))
	return &clone
}
