;;; emacs_peer.el --- One of two Emacsen that share canvases  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Uses nothing but the calls and hooks of the documented API.  SOURCE is the
;; folder of the canvases to sync, REPORT the file to write the counts to, STOP
;; the file that ends it.

;;; Code:

(require 'meta-log-peer-sync)
(require 'meta-log-peer-sync-demo)
(require 'meta-log-mqtt)

(defvar emacs-peer-heard (make-hash-table :test #'equal)
  "File of a document -> how often the message hook ran for it.")
(defvar emacs-peer-announced nil "Ids that the announcement hook saw.")

(add-hook 'meta-log-mqtt-message-received-hook
          (lambda (topic message)
            (when (equal topic "canvasl/sync")
              (let* ((fields (json-parse-string message :object-type 'plist))
                     (file (plist-get fields :file)))
                (puthash file (1+ (gethash file emacs-peer-heard 0)) emacs-peer-heard)))))
(add-hook 'meta-log-mqtt-peer-announced-hook
          (lambda (id _key _address)
            (unless (member id emacs-peer-announced) (push id emacs-peer-announced))))

(defun emacs-peer-report ()
  "Write what was seen so far."
  (let ((file (getenv "REPORT")))
    (with-temp-file (concat file ".new")
      (insert (json-serialize
               (list :heard emacs-peer-heard
                     :announced (length emacs-peer-announced)
                     :discovered (vconcat (meta-log-peer-sync-demo-discover-peers))))))
    (rename-file (concat file ".new") file t)))

(let ((inhibit-interaction t) (synced nil) (next 0.0))
  (meta-log-peer-sync-demo-init)
  (meta-log-peer-sync-demo-init)
  (while (not (file-exists-p (getenv "STOP")))
    (accept-process-output nil 0.05)
    (when (> (float-time) next)
      (setq next (+ 0.5 (float-time)))
      (emacs-peer-report))
    (when (and (not synced) (file-exists-p (concat (getenv "SOURCE") "/go")))
      (setq synced t)
      (dolist (file (directory-files (getenv "SOURCE") t "\\.canvasl\\'"))
        (meta-log-peer-sync-demo-sync-canvasl file)))))
(kill-emacs 0)

;;; emacs_peer.el ends here
