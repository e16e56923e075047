;;; meta-log-webrtc.el --- Messages for one peer  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, processes
;; Package-Requires: ((emacs "28.1") (jsonrpc "1.0.14"))

;;; Commentary:

;; Connections to single peers.  In this version their route is MQTT: the
;; messages are signed, addressed to one peer, and kept by the sidecar until
;; that peer has acknowledged them.  Direct channels will use the same
;; functions.

;;; Code:

(require 'cl-lib)
(require 'meta-log-peer-sync-core)

(defcustom meta-log-webrtc-state-synced-hook nil
  "Functions called when a peer's documents are in step: PEER-ID and FILE.
FILE is the name of the document that PEER-ID now has in its newest
revision, or nil when the peer has just answered and everything that it
lacked is on its way."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(cl-defstruct (meta-log-webrtc-connection (:constructor meta-log-webrtc--make-connection)
                                          (:copier nil))
  "A connection to the peer PEER-ID.
STATE is `connecting', `connected' or `failed', ROUTE is mqtt or nil."
  peer-id (state 'connecting) route)

;;;###autoload
(defun meta-log-webrtc-connect-peer (peer-id &optional address public-key)
  "Connect to the peer PEER-ID; return a connection at once.
The route is MQTT in this version.  ADDRESS is not needed, because a peer
is found by its id; PUBLIC-KEY, when given, has to be the key that the
peer announced, or nothing is connected."
  (interactive (list (meta-log-peer-sync-core-read-peer "Connect to peer: ")))
  (ignore address)
  (let* ((id (meta-log-peer-sync-core-check-peer-id peer-id))
         (connection (meta-log-webrtc--make-connection :peer-id id))
         (peer (gethash id meta-log-peer-sync-core-peers))
         (known (and peer (meta-log-peer-sync-peer-public-key peer))))
    (when (and public-key known (not (equal public-key known)))
      (user-error "The key of %s is %s; do not trust another one" id known))
    (meta-log-peer-sync-core-request
     "peers.connect" (list :peer_id id)
     (lambda (answer)
       (let ((connected (eq (plist-get answer :connected) t)))
         (setf (meta-log-webrtc-connection-state connection) (if connected 'connected 'failed)
               (meta-log-webrtc-connection-route connection) (plist-get answer :route))
         (message "%s %s" (meta-log-peer-sync-core-name id)
                  (if connected
                      (format "is connected (route: %s)" (plist-get answer :route))
                    "does not answer; what is for it is kept"))))
     (lambda (problem)
       (setf (meta-log-webrtc-connection-state connection) 'failed)
       (message "%s is not connected: %s" (meta-log-peer-sync-core-name id)
                (meta-log-peer-sync-rpc-error-text problem))))
    connection))

(defun meta-log-webrtc--kind (type)
  "Return TYPE, a string or a symbol, as the kind of a message."
  (let ((kind (if (symbolp type) (string-remove-prefix ":" (symbol-name type)) type)))
    (if (and (stringp kind) (string-match-p "\\`[A-Za-z0-9_.:-]\\{1,64\\}\\'" kind))
        kind
      (user-error "%S is not a message type; use letters, digits and . : _ -" type))))

;;;###autoload
(defun meta-log-webrtc-send-message (peer-id type &optional content)
  "Send CONTENT of kind TYPE to the peer PEER-ID; return t at once.
The route is MQTT in this version.  The message is signed and kept until
the peer has it.  PEER-ID is a peer id or a connection; CONTENT is a
string, or an object that is encoded as JSON.

It also takes two arguments, a connection and a MESSAGE: a string, or an
object; a plist with `:type' and `:content' is taken apart."
  (let ((id (meta-log-peer-sync-core-check-peer-id
             (if (meta-log-webrtc-connection-p peer-id)
                 (meta-log-webrtc-connection-peer-id peer-id)
               peer-id)))
        (message type))
    (unless content
      (if (and (consp message) (keywordp (car message)) (plist-get message :type)
               (plist-get message :content))
          (setq type (plist-get message :type) content (plist-get message :content))
        (setq type "message" content message)))
    (meta-log-peer-sync-core-request
     "message.send"
     (list :peer_id id :kind (meta-log-webrtc--kind type)
           :content (meta-log-peer-sync-core-text content))
     nil
     (lambda (problem)
       (message "meta-log-webrtc: the message for %s was not taken: %s"
                (meta-log-peer-sync-core-name id)
                (meta-log-peer-sync-rpc-error-text problem))))
    t))

(provide 'meta-log-webrtc)
;;; meta-log-webrtc.el ends here
