package accesstoken

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNoKey means that there is no access key to sign or check with, or that it
// is empty.
var ErrNoKey = errors.New("no access key")

// Keys are the access keys that a service accepts, usually a primary and a
// secondary one. They do not change, so many may check at once; to replace a
// key, make new Keys.
type Keys struct {
	// Leeway is how long after its expiry a token is still accepted, for app
	// servers whose clock is behind. Default 0. It is set before the first Check.
	Leeway time.Duration

	secrets []*secret
}

// NewKeys returns the keys, each as it stands in a connection string. A key may
// be short, but not empty; none at all is ErrNoKey too.
func NewKeys(keys ...string) (*Keys, error) {
	if len(keys) == 0 || slices.Contains(keys, "") {
		return nil, ErrNoKey
	}
	k := &Keys{}
	for _, key := range keys {
		k.secrets = append(k.secrets, newSecret(key))
	}
	return k, nil
}

// String says how many keys there are, and keeps them out of logs.
func (k *Keys) String() string { return fmt.Sprintf("%d access keys", len(k.secrets)) }

// Check returns what a token says, if one of the keys signed it, it has not
// expired, and it is for the audience. It tries every key: a token's kid means
// nothing. iat, nbf and iss are not checked.
//
// Every error is a *CheckError.
func (k *Keys) Check(token string, now time.Time, audience Audience) (*Token, error) {
	if len(token) > MaxLength {
		return nil, refuse(ReasonTooLong, fmt.Sprintf("it has more than %d characters", MaxLength))
	}
	e, err := open(token)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(k.secrets, func(s *secret) bool { return s.signed(e.algorithm, e.text, e.signature) }) {
		return nil, refuse(ReasonSignature, "its signature does not match any access key")
	}
	if !json.Valid(e.payload) {
		return nil, errMalformed
	}
	var p payload
	if err := p.read(string(e.payload)); err != nil {
		return nil, err
	}
	if err := k.checkExpiry(&p, now); err != nil {
		return nil, err
	}
	if p.token.Audience, err = audience.accept(p.audiences); err != nil {
		return nil, err
	}
	return &p.token, nil
}

func (k *Keys) checkExpiry(p *payload, now time.Time) error {
	if !p.exp {
		return refuse(ReasonNoExpiry, "it has no exp")
	}
	if !now.Before(p.token.Expires.Add(k.Leeway)) {
		return refuse(ReasonExpired, "it expired at "+p.token.Expires.Format(time.RFC3339))
	}
	return nil
}
