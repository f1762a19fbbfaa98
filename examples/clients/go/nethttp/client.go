package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// longestAnswer is more than any answer of the contract has, in bytes.
const longestAnswer = 1 << 20

// Client makes the one call. Its zero value is of no use: it needs a base URL and a token.
type Client struct {
	BaseURL string // up to /api, no slash at its end
	Token   string
	HTTP    *http.Client
}

// ResetRequest is the body of the call; what is left empty is not sent.
type ResetRequest struct {
	Email     string `json:"email,omitempty"`
	Entry     string `json:"entry,omitempty"`
	EntryType *int   `json:"entryType,omitempty"` // a pointer, since 0 is a type of its own
}

// ResetResponse is the answer to a call that was taken.
type ResetResponse struct {
	IsSuccess    bool   `json:"isSuccess"`
	ResponseText string `json:"responseText"`
}

// Error is an answer with another status than 200.
type Error struct {
	Status      int
	Text        string
	Explanation string
	TodoAction  string
}

func (e *Error) Error() string {
	return fmt.Sprintf("authreset: %d %s: %s", e.Status, e.Text, e.Explanation)
}

// ResetPassword asks for a letter with a link to a new password. A refusal is an *Error.
func (c *Client) ResetPassword(ctx context.Context, reset ResetRequest) (*ResetResponse, error) {
	body, err := json.Marshal(reset)
	if err != nil {
		return nil, err
	}
	url := c.BaseURL + "/User/authreset"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("requestToken", c.Token)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return read(response)
}

func read(response *http.Response) (*ResetResponse, error) {
	raw, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	if err != nil {
		return nil, fmt.Errorf("authreset: the answer broke off: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, refusal(response.StatusCode, raw)
	}
	var answer ResetResponse
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("authreset: a 200 of another form: %w", err)
	}
	return &answer, nil
}

// refusal keeps the text of a body that is no JSON, such as a proxy's error page.
func refusal(status int, raw []byte) *Error {
	var body struct {
		ResponseText string `json:"responseText"`
		ResponseData struct {
			Explanation string `json:"explanation"`
			TodoAction  string `json:"todoAction"`
		} `json:"responseData"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return &Error{Status: status, Text: string(raw)}
	}
	data := body.ResponseData
	return &Error{status, body.ResponseText, data.Explanation, data.TodoAction}
}
