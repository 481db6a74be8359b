package accesstoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"sync"
)

// An Algorithm is a way to sign. The empty one is HS256.
type Algorithm string

const (
	HS256 Algorithm = "HS256" // HMAC with SHA-256, what every app server uses unless told otherwise
	HS512 Algorithm = "HS512" // HMAC with SHA-512
)

func (a Algorithm) hash() func() hash.Hash {
	switch a {
	case HS256, "":
		return sha256.New
	case HS512:
		return sha512.New
	}
	return nil
}

// A secret is an access key, prepared: half of the work of a short HMAC depends
// on the key alone.
type secret struct{ hs256, hs512 sync.Pool }

func newSecret(key string) *secret {
	s := &secret{}
	s.hs256.New = func() any { return hmac.New(sha256.New, []byte(key)) }
	s.hs512.New = func() any { return hmac.New(sha512.New, []byte(key)) }
	return s
}

// signed tells whether signature is that of text.
func (s *secret) signed(algorithm Algorithm, text, signature []byte) bool {
	pool := &s.hs256
	if algorithm == HS512 {
		pool = &s.hs512
	}
	mac := pool.Get().(hash.Hash)
	defer pool.Put(mac)
	mac.Reset()
	mac.Write(text)
	var sum [sha512.Size]byte
	return hmac.Equal(signature, mac.Sum(sum[:0]))
}
