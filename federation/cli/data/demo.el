;;; demo.el --- One Emacs of `meta-log-peer-sync demo'  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Runs in batch, without a prompt, with the calls and hooks that a user has.
;; What happens goes to standard error as lines of JSON behind "@demo ".  The
;; environment says who this is:
;;
;;   DEMO_CANVAS  file to sync as soon as DEMO_PEERS others are there, or empty
;;   DEMO_CHANGE  line to add to what arrives, and to sync back, or empty
;;   DEMO_OWN     where the changed copy of one's own is written; a document of
;;                another name is somebody else's, and left alone
;;   DEMO_STOP    the file that ends it when it appears

;;; Code:

(require 'json)
(require 'meta-log-peer-sync-demo)
(require 'meta-log-mqtt)

(defvar demo-messages 0 "Documents that passed every check.")
(defvar demo-changed nil "Non-nil once the change was made.")

(defun demo-env (name)
  "Return the environment variable NAME, or nil when it is empty."
  (let ((value (getenv name)))
    (unless (member value '(nil "")) value)))

(defun demo-tell (what &rest fields)
  "Report WHAT with FIELDS, a plist."
  (message "@demo %s" (json-encode (append (list :event what) fields))))

(defun demo-on-document (event)
  "Report the document of EVENT, and change it where that is the part to play."
  (let ((path (plist-get event :path)) (line (demo-env "DEMO_CHANGE")))
    (demo-tell "document" :file (plist-get event :file) :path path
               :peer_id (plist-get event :peer_id))
    (when (and line (not demo-changed)
               (equal (plist-get event :file) (file-name-nondirectory (demo-env "DEMO_OWN"))))
      (setq demo-changed t)
      (let ((coding-system-for-read 'no-conversion)
            (coding-system-for-write 'no-conversion))
        (with-temp-file (demo-env "DEMO_OWN")
          (set-buffer-multibyte nil)
          (insert-file-contents-literally path)
          (goto-char (point-max))
          (insert "\n" (encode-coding-string line 'utf-8))))
      (demo-tell "changing" :path (demo-env "DEMO_OWN"))
      (meta-log-peer-sync-demo-sync-canvasl (demo-env "DEMO_OWN")))))

(add-hook 'meta-log-peer-sync-document-changed-functions #'demo-on-document)
(add-hook 'meta-log-mqtt-message-received-hook
          (lambda (topic _message)
            (when (equal topic "canvasl/sync") (setq demo-messages (1+ demo-messages)))))

(meta-log-peer-sync-demo-init)
(let ((deadline (+ (float-time) 120))
      (canvas (demo-env "DEMO_CANVAS"))
      (wanted (string-to-number (or (demo-env "DEMO_PEERS") "0")))
      (seen 0) told inhibit-message)
  (while (and (< (float-time) deadline) (not (file-exists-p (demo-env "DEMO_STOP"))))
    (accept-process-output nil 0.05)
    (let ((id (meta-log-identity-get-peer-id meta-log-peer-sync-demo--identity)))
      (when (and id (not told))
        (setq told t)
        (demo-tell "ready" :peer_id id)))
    (when (and told (< seen wanted))
      (let ((count (length (let ((inhibit-message t))
                             (meta-log-peer-sync-demo-discover-peers)))))
        (unless (= count seen)
          (setq seen count)
          (demo-tell "peers" :count count :enough (if (>= count wanted) t :json-false)))))
    (when (and told canvas (>= seen wanted))
      (demo-tell "syncing" :path (meta-log-peer-sync-demo-sync-canvasl canvas))
      (setq canvas nil)))
  (demo-tell "leaving" :messages demo-messages))
(kill-emacs 0)

;;; demo.el ends here
