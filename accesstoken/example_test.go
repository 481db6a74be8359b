package accesstoken_test

import (
	"fmt"
	"time"

	"switchboard/accesstoken"
)

// An app server sends a client to the service with a token, and the service
// checks it.
func Example() {
	endpoint, err := accesstoken.ParseConnectionString("Endpoint=http://localhost;Port=8888;AccessKey=" + accesstoken.DevelopmentKey + ";Version=1.0;")
	if err != nil {
		panic(err)
	}
	token, err := accesstoken.Sign(endpoint.AccessKey, accesstoken.HS256, accesstoken.Token{
		Audience: endpoint.ClientAudience("chat"),
		Expires:  time.Now().Add(time.Hour),
		Claims:   []accesstoken.Claim{{Type: accesstoken.ClaimUserID, Value: "ann"}},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(endpoint.ClientURL("chat"))

	keys, err := accesstoken.NewKeys(accesstoken.DevelopmentKey)
	if err != nil {
		panic(err)
	}
	for _, hub := range []string{"chat", "news"} {
		t, err := keys.Check(token, time.Now(), accesstoken.Audience{Path: "/client", Hub: hub})
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("welcome,", t.UserID())
	}
	// Output:
	// http://localhost:8888/client/?hub=chat
	// welcome, ann
	// Failed to validate audience. Expected Audiences: {/client?hub=news}. Actual Audiences: {http://localhost/client/?hub=chat}
}
