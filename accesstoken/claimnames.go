package accesstoken

import "maps"

// Prefixes of the names that .NET gives to claims.
const (
	soap2005             = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	microsoft2008        = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
	certificateExtension = "http://schemas.microsoft.com/2012/12/certificatecontext/extension/"
	certificateField     = "http://schemas.microsoft.com/2012/12/certificatecontext/field/"
	deviceContext        = "http://schemas.microsoft.com/2012/01/devicecontext/claims/"
	requestContext       = "http://schemas.microsoft.com/2012/01/requestcontext/claims/"
	microsoft2012        = "http://schemas.microsoft.com/ws/2012/01/"
	microsoftIdentity    = "http://schemas.microsoft.com/identity/claims/"
	microsoftClaims      = "http://schemas.microsoft.com/claims/"
	soapClaims           = "http://schemas.xmlsoap.org/claims/"
)

// LongName returns the name under which .NET knows a claim, given its name in
// a token: "role" is the URI of ClaimTypes.Role. Other names are returned as
// they are. OpenConnection carries long names, because an app that signed in a
// user with ClaimTypes.Role looks for that.
func LongName(short string) string {
	if long, ok := longNames[short]; ok {
		return long
	}
	return short
}

// ShortName returns the name that a claim has in a token, the reverse of
// LongName. Where two short names share a long one it is "nameid" and "role".
func ShortName(long string) string {
	if short, ok := shortNames[long]; ok {
		return short
	}
	return long
}

var shortNames = func() map[string]string {
	outbound := maps.Clone(longNames)
	delete(outbound, "sub")
	delete(outbound, "roles")
	reversed := make(map[string]string, len(outbound))
	for short, long := range outbound {
		reversed[long] = short
	}
	return reversed
}()

// longNames is not written to.
//
// Source: azure-signalr ClaimTypeMapping.cs, which is a copy of the table that
// ASP.NET Core's JwtBearer uses.
var longNames = map[string]string{
	"acr":                        microsoftClaims + "authnclassreference",
	"actort":                     "http://schemas.xmlsoap.org/ws/2009/09/identity/claims/actor",
	"adfs1email":                 soapClaims + "EmailAddress",
	"adfs1upn":                   soapClaims + "UPN",
	"amr":                        microsoftClaims + "authnmethodsreferences",
	"authmethod":                 microsoft2008 + "authenticationmethod",
	"birthdate":                  soap2005 + "dateofbirth",
	"certapppolicy":              certificateExtension + "applicationpolicy",
	"certauthoritykeyidentifier": certificateExtension + "authoritykeyidentifier",
	"certbasicconstraints":       certificateExtension + "basicconstraints",
	"certeku":                    certificateExtension + "eku",
	"certissuer":                 certificateField + "issuer",
	"certissuername":             certificateField + "issuername",
	"certkeyusage":               certificateExtension + "keyusage",
	"certnotafter":               certificateField + "notafter",
	"certnotbefore":              certificateField + "notbefore",
	"certpolicy":                 certificateExtension + "certificatepolicy",
	"certpublickey":              soap2005 + "rsa",
	"certrawdata":                certificateField + "rawdata",
	"certserialnumber":           microsoft2008 + "serialnumber",
	"certsignaturealgorithm":     certificateField + "signaturealgorithm",
	"certsubject":                certificateField + "subject",
	"certsubjectaltname":         certificateExtension + "san",
	"certsubjectkeyidentifier":   certificateExtension + "subjectkeyidentifier",
	"certsubjectname":            certificateField + "subjectname",
	"certtemplateinformation":    certificateExtension + "certificatetemplateinformation",
	"certtemplatename":           certificateExtension + "certificatetemplatename",
	"certthumbprint":             soap2005 + "thumbprint",
	"certx509version":            certificateField + "x509version",
	"clientapplication":          requestContext + "x-ms-client-application",
	"clientip":                   requestContext + "x-ms-client-ip",
	"clientuseragent":            requestContext + "x-ms-client-user-agent",
	"commonname":                 soapClaims + "CommonName",
	"denyonlyprimarygroupsid":    microsoft2008 + "denyonlyprimarygroupsid",
	"denyonlyprimarysid":         microsoft2008 + "denyonlyprimarysid",
	"denyonlysid":                soap2005 + "denyonlysid",
	"devicedispname":             deviceContext + "displayname",
	"deviceid":                   deviceContext + "identifier",
	"deviceismanaged":            deviceContext + "ismanaged",
	"deviceostype":               deviceContext + "ostype",
	"deviceosver":                deviceContext + "osversion",
	"deviceowner":                deviceContext + "userowner",
	"deviceregid":                deviceContext + "registrationid",
	"email":                      soap2005 + "emailaddress",
	"endpointpath":               requestContext + "x-ms-endpoint-absolute-path",
	"family_name":                soap2005 + "surname",
	"forwardedclientip":          requestContext + "x-ms-forwarded-client-ip",
	"gender":                     soap2005 + "gender",
	"given_name":                 soap2005 + "givenname",
	"group":                      soapClaims + "Group",
	"groupsid":                   microsoft2008 + "groupsid",
	"idp":                        microsoftIdentity + "identityprovider",
	"insidecorporatenetwork":     microsoft2012 + "insidecorporatenetwork",
	"isregistereduser":           deviceContext + "isregistereduser",
	"nameid":                     soap2005 + "nameidentifier",
	"oid":                        microsoftIdentity + "objectidentifier",
	"ppid":                       soap2005 + "privatepersonalidentifier",
	"primarygroupsid":            microsoft2008 + "primarygroupsid",
	"primarysid":                 microsoft2008 + "primarysid",
	"proxy":                      requestContext + "x-ms-proxy",
	"pwdchgurl":                  microsoft2012 + "passwordchangeurl",
	"pwdexpdays":                 microsoft2012 + "passwordexpirationdays",
	"pwdexptime":                 microsoft2012 + "passwordexpirationtime",
	"relyingpartytrustid":        requestContext + "relyingpartytrustid",
	"role":                       microsoft2008 + "role",
	"roles":                      microsoft2008 + "role",
	"scp":                        microsoftIdentity + "scope",
	"sub":                        soap2005 + "nameidentifier",
	"tid":                        microsoftIdentity + "tenantid",
	"unique_name":                soap2005 + "name",
	"upn":                        soap2005 + "upn",
	"website":                    soap2005 + "webpage",
	"winaccountname":             microsoft2008 + "windowsaccountname",
}
