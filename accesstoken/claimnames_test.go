package accesstoken_test

import (
	"testing"

	"switchboard/accesstoken"
)

func TestClaimNames(t *testing.T) {
	const (
		soap      = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
		microsoft = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
		inbound   = false
		both      = true
	)
	tests := []struct {
		short, long string
		both        bool
	}{
		{"actort", "http://schemas.xmlsoap.org/ws/2009/09/identity/claims/actor", both},
		{"birthdate", soap + "dateofbirth", both},
		{"email", soap + "emailaddress", both},
		{"family_name", soap + "surname", both},
		{"gender", soap + "gender", both},
		{"given_name", soap + "givenname", both},
		{"nameid", soap + "nameidentifier", both},
		{"nameid", accesstoken.ClaimNameIDLong, both},
		{"sub", soap + "nameidentifier", inbound},
		{"website", soap + "webpage", both},
		{"unique_name", soap + "name", both},
		{"role", microsoft + "role", both},
		{"roles", microsoft + "role", inbound},
		{"upn", soap + "upn", both},
		{"oid", "http://schemas.microsoft.com/identity/claims/objectidentifier", both},
		{"scp", "http://schemas.microsoft.com/identity/claims/scope", both},
		{"tid", "http://schemas.microsoft.com/identity/claims/tenantid", both},
		{"idp", "http://schemas.microsoft.com/identity/claims/identityprovider", both},
		{"acr", "http://schemas.microsoft.com/claims/authnclassreference", both},
		{"amr", "http://schemas.microsoft.com/claims/authnmethodsreferences", both},
		{"authmethod", microsoft + "authenticationmethod", both},
		{"group", "http://schemas.xmlsoap.org/claims/Group", both},
		{"groupsid", microsoft + "groupsid", both},
		{"primarysid", microsoft + "primarysid", both},
		{"primarygroupsid", microsoft + "primarygroupsid", both},
		{"winaccountname", microsoft + "windowsaccountname", both},
		{"certserialnumber", microsoft + "serialnumber", both},
		{"commonname", "http://schemas.xmlsoap.org/claims/CommonName", both},
		{"certthumbprint", soap + "thumbprint", both},
		{"adfs1email", "http://schemas.xmlsoap.org/claims/EmailAddress", both},
		{"adfs1upn", "http://schemas.xmlsoap.org/claims/UPN", both},
		{"ppid", soap + "privatepersonalidentifier", both},
		{"certpublickey", soap + "rsa", both},
		{"denyonlysid", soap + "denyonlysid", both},
		{"denyonlyprimarysid", microsoft + "denyonlyprimarysid", both},
		{"denyonlyprimarygroupsid", microsoft + "denyonlyprimarygroupsid", both},
		{"certsubject", "http://schemas.microsoft.com/2012/12/certificatecontext/field/subject", both},
		{"certeku", "http://schemas.microsoft.com/2012/12/certificatecontext/extension/eku", both},
		{"deviceid", "http://schemas.microsoft.com/2012/01/devicecontext/claims/identifier", both},
		{"clientip", "http://schemas.microsoft.com/2012/01/requestcontext/claims/x-ms-client-ip", both},
		{"pwdchgurl", "http://schemas.microsoft.com/ws/2012/01/passwordchangeurl", both},
		{"asrs.s.uid", "asrs.s.uid", both},
		{"department", "department", both},
		{"Role", "Role", both}, // names are compared as they are
	}
	for _, tt := range tests {
		if got := accesstoken.LongName(tt.short); got != tt.long {
			t.Errorf("LongName(%q) = %q, want %q", tt.short, got, tt.long)
		}
		if got := accesstoken.ShortName(tt.long); tt.both && got != tt.short {
			t.Errorf("ShortName(%q) = %q, want %q", tt.long, got, tt.short)
		}
		if got := accesstoken.ShortName(tt.short); got != tt.short {
			t.Errorf("ShortName(%q) = %q, want it unchanged", tt.short, got)
		}
	}
}
