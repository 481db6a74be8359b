package accesstoken

import "strings"

// An AuthType says how an app proves itself to the service.
type AuthType string

// The AuthTypes of a connection string. Any other value means AuthAccessKey.
const (
	AuthAccessKey AuthType = ""          // tokens signed with AccessKey
	AuthAAD       AuthType = "aad"       // Entra: application or managed identity, by what Identity holds
	AuthAzure     AuthType = "azure"     // Entra: whatever the environment offers
	AuthAzureApp  AuthType = "azure.app" // Entra: application
	AuthAzureMSI  AuthType = "azure.msi" // Entra: managed identity
)

// An Identity is a Microsoft Entra identity. A ClientID without a TenantID is
// a user-assigned managed identity; neither, the system-assigned one; both, an
// application with a secret or a certificate.
type Identity struct {
	ClientID     string
	TenantID     string
	ClientSecret string // secret; goes before ClientCert
	ClientCert   string // path of the certificate's file
}

func authType(s string) AuthType {
	switch t := AuthType(strings.ToLower(s)); t {
	case AuthAAD, AuthAzure, AuthAzureApp, AuthAzureMSI:
		return t
	}
	return AuthAccessKey
}

// credential reads what the AuthType needs and leaves the rest, as the SDK does.
func (p properties) credential(e *Endpoint) error {
	var err error
	switch e.AuthType = authType(p["authtype"]); e.AuthType {
	case AuthAAD:
		err = p.identity(&e.Identity)
	case AuthAzure:
	case AuthAzureApp:
		err = p.application(&e.Identity)
	case AuthAzureMSI:
		e.Identity.ClientID = p["clientid"]
	default:
		if e.AccessKey = p["accesskey"]; e.AccessKey == "" {
			err = &ConnectionStringError{"accesskey", "accesskey is required."}
		}
	}
	return err
}

func (p properties) identity(i *Identity) error {
	_, tenant := p["tenantid"]
	if _, client := p["clientid"]; client && tenant {
		return p.application(i)
	}
	i.ClientID = p["clientid"]
	return nil
}

func (p properties) application(i *Identity) error {
	var ok bool
	if i.ClientID, ok = p["clientid"]; !ok {
		return missing("clientId")
	}
	if i.TenantID, ok = p["tenantid"]; !ok {
		return missing("tenantId")
	}
	if i.ClientSecret, ok = p["clientsecret"]; ok {
		return nil
	}
	if i.ClientCert, ok = p["clientcert"]; ok {
		return nil
	}
	return missing("clientSecret or clientCert")
}
