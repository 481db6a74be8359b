// Package accesstoken holds what a connection string gives an app and what the
// service asks for in return: endpoints, access keys, and the tokens that the
// keys sign.
//
// An app server reads its connection string into an Endpoint, which knows the
// URLs to dial and the audience of each, and signs a Token for every connection
// and for every client that it sends to the service. The service checks the
// token with its Keys and takes the client's claims from it.
//
// The package is pure: it reads no file, opens no connection, and is handed the
// time. It supports access keys. Connection strings that name a Microsoft Entra
// identity are read and validated; obtaining a token for one is left to others,
// and so are finding the bearer token in a request and answering a refusal.
package accesstoken

import (
	"errors"

	"switchboard/serviceprotocol"
)

// DevelopmentKey is the access key of the official emulator. Everybody knows
// it, so it protects nothing: use it on a developer's machine only.
//
// Source: azure-signalr Emulator; Microsoft Learn, "Azure SignalR local emulator".
const DevelopmentKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"

// MaxLength is the most characters that a token may have.
//
// Source: azure-signalr AuthUtility.cs, MaxTokenLength.
const MaxLength = 4096

// ErrTooLong means that a token has more than MaxLength characters, nearly
// always because the user has many claims. App servers answer a negotiate
// request with 413 and this text.
//
//lint:ignore ST1005 the text is the SDK's, word for word
var ErrTooLong = errors.New("AccessToken must not be longer than 4K.")

// A Claim is one statement about a client, as OpenConnection carries it on.
type Claim = serviceprotocol.Claim
