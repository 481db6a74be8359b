package trial

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificate makes one for 127.0.0.1, and returns the variables that tell the
// service where it is.
func (t *trial) certificate() (environ []string, err error) {
	certificate, key, err := selfSigned()
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	if t.scratch, err = os.MkdirTemp("", "switchboard-bench-"); err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	t.rootCA = certificate
	for name, text := range map[string][]byte{"CERT": certificate, "KEY": key} {
		path := filepath.Join(t.scratch, name+".pem")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, fmt.Errorf("make certificate: %w", err)
		}
		environ = append(environ, "SWITCHBOARD_TLS_"+name+"_FILE="+path)
	}
	return environ, nil
}

func selfSigned() (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "switchboard bench"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	}
	raw, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}
