package accesstoken

import (
	_ "crypto/sha256" // HS256
	_ "crypto/sha512" // HS512
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
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

	set    jwt.VerificationKeySet
	parser *jwt.Parser
}

// NewKeys returns the keys, each as it stands in a connection string. A key may
// be short, but not empty; none at all is ErrNoKey too.
func NewKeys(keys ...string) (*Keys, error) {
	if len(keys) == 0 || slices.Contains(keys, "") {
		return nil, ErrNoKey
	}
	k := &Keys{parser: jwt.NewParser(
		jwt.WithValidMethods(acceptedMethods),
		jwt.WithStrictDecoding(),
		jwt.WithoutClaimsValidation(), // nbf and iat are not to be checked, so Check looks at exp and aud itself
	)}
	for _, key := range keys {
		k.set.Keys = append(k.set.Keys, []byte(key))
	}
	return k, nil
}

var acceptedMethods = []string{string(HS256), string(HS512)}

// String says how many keys there are, and keeps them out of logs.
func (k *Keys) String() string { return fmt.Sprintf("%d access keys", len(k.set.Keys)) }

// Check returns what a token says, if one of the keys signed it, it has not
// expired, and it is for the audience. It tries every key: a token's kid means
// nothing. iat, nbf and iss are not checked.
//
// Every error is a *CheckError.
func (k *Keys) Check(token string, now time.Time, audience Audience) (*Token, error) {
	if len(token) > MaxLength {
		return nil, refuse(ReasonTooLong, fmt.Sprintf("it has more than %d characters", MaxLength))
	}
	var p payload
	parsed, err := k.parser.ParseWithClaims(token, &p, func(*jwt.Token) (any, error) { return k.set, nil })
	if err != nil {
		return nil, explain(parsed, err)
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
