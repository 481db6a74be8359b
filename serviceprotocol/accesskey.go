package serviceprotocol

// An AccessKeyRequest asks the service for a key to sign client tokens with, from
// an app server that has no access key but an Entra ID token.
//
// Wire: [28, token str, kid str|nil, extensions map].
//
// Source: azure-signalr ServiceProtocol.cs, WriteAccessKeyRequestMessage.
type AccessKeyRequest struct {
	Token string // secret
	KeyID string // of the key in use; empty for none
}

func (m *AccessKeyRequest) Type() Type { return TypeAccessKeyRequest }

func (m *AccessKeyRequest) Append(b []byte) []byte {
	b = append(b, fixArr|4, byte(TypeAccessKeyRequest))
	b = appendStr(b, m.Token)
	b = appendStrOrNil(b, m.KeyID)
	return appendNoExtension(b)
}

func (m *AccessKeyRequest) parse(r reader) *ParseError {
	*m = AccessKeyRequest{}
	r.require(3)
	m.Token = r.str("token")
	m.KeyID = r.str("kid")
	r.skipExtension(4)
	return r.err
}

// An AccessKeyResponse answers an AccessKeyRequest with a key or an error.
//
// Wire: [29, kid str|nil, accessKey str|nil, errorType str|nil,
// errorMessage str|nil, extensions map].
//
// Source: azure-signalr ServiceProtocol.cs, WriteAccessKeyResponseMessage.
type AccessKeyResponse struct {
	KeyID     string
	AccessKey string // secret
	ErrorType string // such as the name of a .NET exception
	Error     string // empty means success
}

func (m *AccessKeyResponse) Type() Type { return TypeAccessKeyResponse }

func (m *AccessKeyResponse) Append(b []byte) []byte {
	b = append(b, fixArr|6, byte(TypeAccessKeyResponse))
	b = appendStrOrNil(b, m.KeyID)
	b = appendStrOrNil(b, m.AccessKey)
	b = appendStrOrNil(b, m.ErrorType)
	b = appendStrOrNil(b, m.Error)
	return appendNoExtension(b)
}

func (m *AccessKeyResponse) parse(r reader) *ParseError {
	*m = AccessKeyResponse{}
	r.require(5)
	m.KeyID = r.str("kid")
	m.AccessKey = r.str("accessKey")
	m.ErrorType = r.str("errorType")
	m.Error = r.str("errorMessage")
	r.skipExtension(6)
	return r.err
}
