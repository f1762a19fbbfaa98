// Starts a password reset through github.com/payabli/sdk-go, pointed at authreset by its base URL alone.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	payabli "github.com/payabli/sdk-go"
	client "github.com/payabli/sdk-go/client"
	core "github.com/payabli/sdk-go/core"
	option "github.com/payabli/sdk-go/option"
)

const module = "github.com/payabli/sdk-go"

type answer struct {
	status      int
	text        string
	explanation string
	errorType   string
}

type line struct {
	Call        string  `json:"call"`
	Status      int     `json:"status"`
	OK          bool    `json:"ok"`
	Text        *string `json:"text"`
	Explanation *string `json:"explanation"`
	ErrorType   *string `json:"error_type"`
	Client      string  `json:"client"`
	Version     string  `json:"version"`
}

func setting(name string) string {
	value, found := os.LookupEnv(name)
	if !found {
		fmt.Fprintf(os.Stderr, "%s is not set\n", name)
		os.Exit(2)
	}
	return value
}

func connect(credentials option.RequestOption) *client.Client {
	return client.NewClient(option.WithBaseURL(setting("AUTHRESET_BASE_URL")), credentials)
}

func ask(payabliClient *client.Client, request *payabli.UserAuthResetRequest) answer {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	response, err := payabliClient.User.WithRawResponse.AuthResetUser(ctx, request)
	if err != nil {
		return refusal(err)
	}
	return answer{status: response.StatusCode, text: response.Body.GetResponseText()}
}

// refusal reads an error. Each typed error of the SDK wraps a *core.APIError, which has the status,
// and marshals to the JSON that the server sent.
func refusal(err error) answer {
	got := answer{text: err.Error(), errorType: fmt.Sprintf("%T", err)}
	var apiError *core.APIError
	if !errors.As(err, &apiError) {
		return got
	}
	got.status = apiError.StatusCode
	var body struct {
		ResponseText string `json:"responseText"`
		ResponseData struct {
			Explanation string `json:"explanation"`
		} `json:"responseData"`
	}
	raw, failed := json.Marshal(err)
	if failed == nil && json.Unmarshal(raw, &body) == nil && body.ResponseText != "" {
		got.text, got.explanation = body.ResponseText, body.ResponseData.Explanation
	}
	return got
}

// asPromised says whether the answer is the one that the contract promises.
func asPromised(expected int, got answer) bool {
	if got.status != expected {
		return false
	}
	if expected == 200 {
		return got.text == "Success"
	}
	return got.text != "" && got.explanation != ""
}

func report(call string, ok bool, got answer) bool {
	raw, err := json.Marshal(line{
		Call:        call,
		Status:      got.status,
		OK:          ok,
		Text:        orNull(got.text),
		Explanation: orNull(got.explanation),
		ErrorType:   orNull(got.errorType),
		Client:      module,
		Version:     version(),
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(raw))
	return ok
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return "unknown"
}

func calls(prefix string, payabliClient *client.Client) bool {
	entryType, err := strconv.Atoi(setting("AUTHRESET_ENTRY_TYPE"))
	if err != nil {
		panic(err)
	}
	empty := ask(payabliClient, &payabli.UserAuthResetRequest{})
	address := ask(payabliClient, &payabli.UserAuthResetRequest{
		Email:     payabli.String(setting("AUTHRESET_EMAIL")),
		Entry:     payabli.String(setting("AUTHRESET_ENTRY")),
		EntryType: payabli.Int(entryType),
	})
	badEmail := ask(payabliClient, &payabli.UserAuthResetRequest{Email: payabli.String("not-an-address")})
	// Three separate statements: && would leave out the lines after the first refusal.
	first := report(prefix+"empty", asPromised(200, empty), empty)
	second := report(prefix+"address", asPromised(200, address), address)
	third := report(prefix+"bad_email", asPromised(400, badEmail), badEmail)
	return first && second && third
}

func main() {
	ok := calls("", connect(option.WithApiKey(setting("AUTHRESET_TOKEN"))))

	refused := ask(connect(option.WithApiKey("o.never-issued")), &payabli.UserAuthResetRequest{})
	ok = report("refused_token", asPromised(401, refused), refused) && ok

	if id := os.Getenv("AUTHRESET_CLIENT_ID"); id != "" {
		secret := setting("AUTHRESET_CLIENT_SECRET")
		credentials := &core.ClientCredentialsOption{ClientID: id, ClientSecret: secret}
		ok = calls("oauth_", connect(credentials)) && ok

		// The SDK keeps the token endpoint's answer to itself: no status, an error of its own.
		stranger := connect(&core.ClientCredentialsOption{ClientID: id, ClientSecret: "wrong"})
		refused := ask(stranger, &payabli.UserAuthResetRequest{})
		ok = report("oauth_refused_token", refused.errorType != "" && refused.status == 0, refused) && ok
	}
	if !ok {
		os.Exit(1)
	}
}
