;;; meta-log-mqtt.el --- Publish and subscribe, and the hooks for messages  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, processes
;; Package-Requires: ((emacs "28.1") (jsonrpc "1.0.14"))

;;; Commentary:

;; Topics of the broker from Lisp.  A connection is an object; the main one
;; is that of the peer itself, others are opened by the sidecar beside it.
;; Every function returns at once: what cannot be done yet waits until the
;; sidecar, or the connection, is there.

;;; Code:

(require 'cl-lib)
(require 'meta-log-peer-sync-core)

(defcustom meta-log-mqtt-message-received-hook nil
  "Functions called with each message: TOPIC and MESSAGE, two strings.
These are the messages of the federation that passed every check, and
those of the topics that were subscribed to.  MESSAGE is the JSON text of
a message of the federation; a `content' over 64 KB in it is replaced by
`content_file', the file name of a saved copy."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-mqtt-peer-announced-hook nil
  "Functions called when a peer announced itself: PEER-ID PUBLIC-KEY ADDRESS.
The announcement was verified.  ADDRESS may be nil."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-mqtt-peer-message-hook nil
  "Functions called with a peer's message: FROM TO PAYLOAD SIGNATURE.
FROM and TO are peer ids, PAYLOAD is the text that was sent, and
SIGNATURE, which was verified, 0x and 128 digits."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(cl-defstruct (meta-log-mqtt-connection (:constructor meta-log-mqtt--make-connection)
                                        (:copier nil))
  "A connection to a broker.
URL is that of its broker, nil for the main one, which may change: read it
with `meta-log-mqtt-connection-broker-url'.  CLIENT-ID and USERNAME are
what was asked for.  HANDLE is its number in the sidecar, 0 for the main
one and nil until it is open.  STATE is `opening', `open' or `failed'.
WAITING holds what was asked for meanwhile."
  url client-id username handle (state 'opening) waiting)

(defun meta-log-mqtt-connection-broker-url (connection)
  "Return the URL of the broker of CONNECTION."
  (or (meta-log-mqtt-connection-url connection)
      (meta-log-peer-sync-core-broker-url)))

(defvar meta-log-mqtt--main (meta-log-mqtt--make-connection :handle 0 :state 'open)
  "The connection of the peer itself.")
(defvar meta-log-mqtt--others nil
  "Connections opened beside the main one, as (CONNECTION . PASSWORD).")
(defvar meta-log-mqtt--subscriptions nil
  "What is subscribed to, as (CONNECTION FILTER HANDLER).")
(defvar meta-log-mqtt--subscribed nil
  "What the running sidecar has subscribed to, as (CONNECTION . FILTER).")

(defun meta-log-mqtt--check (connection)
  "Return CONNECTION, or the peer's own for nil; nothing else is one."
  (cond ((null connection) meta-log-mqtt--main)
        ((meta-log-mqtt-connection-p connection) connection)
        (t (user-error "%S is not a connection; use what `meta-log-mqtt-connect' returned"
                       connection))))

(defun meta-log-mqtt--when-open (connection function)
  "Call FUNCTION once CONNECTION is open."
  (pcase (meta-log-mqtt-connection-state connection)
    ('open (funcall function))
    ('failed (user-error "The connection to %s could not be opened; connect again"
                         (meta-log-mqtt-connection-broker-url connection)))
    (_ (push function (meta-log-mqtt-connection-waiting connection)))))

(defun meta-log-mqtt--open (connection password)
  "Let the sidecar open CONNECTION with PASSWORD."
  (setf (meta-log-mqtt-connection-state connection) 'opening)
  (meta-log-peer-sync-core-request
   "broker.open"
   (list :url (meta-log-mqtt-connection-broker-url connection)
         :client_id (meta-log-mqtt-connection-client-id connection)
         :username (meta-log-mqtt-connection-username connection)
         :password password)
   (lambda (answer)
     (setf (meta-log-mqtt-connection-handle connection) (plist-get answer :connection)
           (meta-log-mqtt-connection-state connection) 'open)
     (let ((waiting (nreverse (meta-log-mqtt-connection-waiting connection))))
       (setf (meta-log-mqtt-connection-waiting connection) nil)
       (mapc #'funcall waiting)))
   (lambda (problem)
     (setf (meta-log-mqtt-connection-state connection) 'failed
           (meta-log-mqtt-connection-waiting connection) nil)
     ;; A sidecar that was lost is started again, and then opens it.
     (unless (equal (plist-get (plist-get problem :data) :reason) "sidecar-lost")
       (setq meta-log-mqtt--others (assq-delete-all connection meta-log-mqtt--others)))
     (message "meta-log-mqtt: no connection to %s: %s"
              (meta-log-mqtt-connection-broker-url connection)
              (meta-log-peer-sync-rpc-error-text problem)))))

(defun meta-log-mqtt--on-ready (_status)
  "The sidecar has started: open and subscribe again what it no longer knows.
What it never answered is still queued, and is not asked for twice: a
second subscription would bring retained messages again."
  (let ((known meta-log-mqtt--subscribed))
    (setq meta-log-mqtt--subscribed nil)
    (dolist (entry meta-log-mqtt--others)
      (unless (eq (meta-log-mqtt-connection-state (car entry)) 'opening)
        (meta-log-mqtt--open (car entry) (cdr entry))))
    (pcase-dolist (`(,connection . ,filter) known)
      (meta-log-mqtt--when-open
       connection (lambda () (meta-log-mqtt--subscribe connection filter))))))

;;;###autoload
(defun meta-log-mqtt-connect (url &optional client-id username password)
  "Return a connection to the broker at URL; it is opened meanwhile.
For the broker of the running peer it is the peer's own connection, unless
CLIENT-ID, USERNAME or PASSWORD ask for another one.  When no sidecar runs
and no broker is configured, one is started with URL as its broker."
  (meta-log-peer-sync-core-check-url url)
  (let ((plain (not (or client-id username password))))
    (unless (meta-log-peer-sync-rpc-running-p)
      (meta-log-peer-sync-core-start
       :broker-url (and plain
                        (not meta-log-peer-sync-broker-url)
                        (not (getenv "META_LOG_PEER_SYNC_BROKER_URL"))
                        (not (getenv "META_LOG_MQTT_BROKER"))
                        (not (getenv "MQTT_BROKER_HOST"))
                        url)))
    (if (and plain (meta-log-peer-sync-core-same-url-p
                    url (meta-log-peer-sync-core-broker-url)))
        meta-log-mqtt--main
      (let ((connection (meta-log-mqtt--make-connection
                         :url url :client-id client-id :username username)))
        (add-hook 'meta-log-peer-sync-core-ready-functions #'meta-log-mqtt--on-ready)
        (push (cons connection password) meta-log-mqtt--others)
        (meta-log-mqtt--open connection password)
        connection))))

;;;###autoload
(defun meta-log-mqtt-publish (connection topic &optional message qos retain)
  "Publish MESSAGE on TOPIC over CONNECTION; return t at once.
MESSAGE is a string, or an object that is encoded as JSON.  QOS is 0, 1
or 2, default 1; with RETAIN the broker keeps the message.  CONNECTION may
be left out: (meta-log-mqtt-publish TOPIC MESSAGE) uses the peer's own,
and so does nil.  A failure is shown as a message."
  (if (stringp connection)
      (meta-log-mqtt-publish nil connection topic message qos)
    (let ((connection (meta-log-mqtt--check connection))
          (qos (or qos 1))
          (text (meta-log-peer-sync-core-text message)))
      (unless (memql qos '(0 1 2))
        (user-error "QOS is 0, 1 or 2, not %S" qos))
      (unless (and (stringp topic) (not (string-match-p "\\`\\'\\|[+#]" topic)))
        (user-error "%S is not a topic to publish on; it has no wildcards" topic))
      (unless (meta-log-peer-sync-rpc-running-p)
        (meta-log-peer-sync-core-start))
      (meta-log-mqtt--when-open
       connection
       (lambda ()
         (meta-log-peer-sync-core-request
          "topic.publish"
          (list :topic topic :message text :qos qos :retain (if retain t :json-false)
                :connection (meta-log-mqtt-connection-handle connection))
          nil
          (lambda (problem)
            (message "meta-log-mqtt: nothing was published on %s: %s" topic
                     (meta-log-peer-sync-rpc-error-text problem))))))
      t)))

(defun meta-log-mqtt-topic-matches-p (filter topic)
  "Return non-nil when FILTER, which may have wildcards, takes TOPIC."
  (let* ((parts (split-string topic "/")) (ok t)
         (filters (split-string filter "/"))
         ;; $share/GROUP/FILTER: the topics are those of FILTER.
         (filters (if (equal (car filters) "$share") (cddr filters) filters)))
    (if (and (string-prefix-p "$" topic) (member (car filters) '("+" "#")))
        nil
      (while (and ok filters (not (equal (car filters) "#")))
        (setq ok (and parts (or (equal (car filters) "+") (equal (car filters) (car parts))))
              filters (cdr filters)
              parts (cdr parts)))
      (and ok (or (null parts) (equal (car filters) "#"))))))

(defun meta-log-mqtt--subscribe (connection filter)
  "Let the sidecar subscribe to FILTER on CONNECTION."
  (meta-log-peer-sync-core-request
   "topic.subscribe"
   (list :topic filter :connection (meta-log-mqtt-connection-handle connection))
   (lambda (_answer)
     (cl-pushnew (cons connection filter) meta-log-mqtt--subscribed :test #'equal))
   (lambda (problem)
     (message "meta-log-mqtt: not subscribed to %s: %s" filter
              (meta-log-peer-sync-rpc-error-text problem)))))

(defun meta-log-mqtt--on-message (event)
  "Give the message of EVENT to the handlers of its topic."
  (let ((topic (plist-get event :topic)) (handle (or (plist-get event :connection) 0)))
    (dolist (subscription (reverse meta-log-mqtt--subscriptions))
      (pcase-let ((`(,connection ,filter ,handler) subscription))
        (when (and (eql handle (meta-log-mqtt-connection-handle connection))
                   (meta-log-mqtt-topic-matches-p filter topic))
          (meta-log-peer-sync-events--call
           handler 'meta-log-mqtt-subscribe (list topic (plist-get event :message))))))))

;;;###autoload
(defun meta-log-mqtt-subscribe (connection topic &optional handler)
  "Call HANDLER with each message of TOPIC on CONNECTION; return t at once.
TOPIC may have the wildcards + and #.  HANDLER gets two strings, the topic
and the message.  Messages of strangers come as well: nothing is verified
here.  CONNECTION may be left out: (meta-log-mqtt-subscribe TOPIC HANDLER)
uses the peer's own, and so does nil."
  (if (stringp connection)
      (meta-log-mqtt-subscribe nil connection topic)
    (let ((connection (meta-log-mqtt--check connection)))
      (unless (and (stringp topic) (not (string-empty-p topic)))
        (user-error "%S is not a topic" topic))
      (unless (functionp handler)
        (user-error "HANDLER has to be a function of topic and message, not %S" handler))
      (unless (meta-log-peer-sync-rpc-running-p)
        (meta-log-peer-sync-core-start))
      (add-hook 'meta-log-peer-sync-message-received-functions #'meta-log-mqtt--on-message)
      (add-hook 'meta-log-peer-sync-core-ready-functions #'meta-log-mqtt--on-ready)
      (cl-pushnew (list connection topic handler) meta-log-mqtt--subscriptions
                  :test #'equal)
      (meta-log-mqtt--when-open
       connection (lambda () (meta-log-mqtt--subscribe connection topic)))
      t)))

;;;###autoload
(defun meta-log-mqtt-unsubscribe (connection topic)
  "Undo `meta-log-mqtt-subscribe' to TOPIC on CONNECTION, or the own one if nil."
  (let ((connection (meta-log-mqtt--check connection)))
    (setq meta-log-mqtt--subscriptions
          (cl-remove-if (lambda (entry) (and (eq (car entry) connection)
                                             (equal (nth 1 entry) topic)))
                        meta-log-mqtt--subscriptions)
          meta-log-mqtt--subscribed
          (cl-remove-if (lambda (entry) (and (eq (car entry) connection)
                                             (equal (cdr entry) topic)))
                        meta-log-mqtt--subscribed))
    (when (and (meta-log-peer-sync-rpc-running-p)
               (eq (meta-log-mqtt-connection-state connection) 'open))
      (meta-log-peer-sync-rpc-request
       "topic.unsubscribe"
       (list :topic topic :connection (meta-log-mqtt-connection-handle connection))))
    t))

(defun meta-log-mqtt-unload-function ()
  "Take the functions of this file out of the hooks."
  (remove-hook 'meta-log-peer-sync-message-received-functions #'meta-log-mqtt--on-message)
  (remove-hook 'meta-log-peer-sync-core-ready-functions #'meta-log-mqtt--on-ready)
  nil)

(provide 'meta-log-mqtt)
;;; meta-log-mqtt.el ends here
