;;; install_package.el --- A stranger installs the package and its sidecar  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Run in batch with HOME a new folder: installs the package from FROM (a tar
;; file, or a git repository), lets it install, upgrade and remove the sidecar,
;; and prints a line "DID what" for each step.  Any error ends it.

;;; Code:

(require 'package)
(setq package-archives nil
      user-emacs-directory (expand-file-name "~/.emacs.d/")
      package-user-dir (expand-file-name "elpa" user-emacs-directory))
(package-initialize)

(defun stranger-did (what &rest arguments)
  "Print WHAT, with ARGUMENTS."
  (princ (concat "DID " (apply #'format what arguments) "\n")))

(defmacro stranger-until (form)
  "Wait until FORM is non-nil."
  `(let ((end (+ (float-time) 120)) value)
     (while (not (setq value ,form))
       (when (> (float-time) end)
         (princ (with-current-buffer (get-buffer-create "*meta-log-peer-sync install*")
                  (buffer-string)))
         (error "Waited in vain for %S" ',form))
       (accept-process-output nil 0.05))
     value))

(defun stranger-start ()
  "Start the peer; return the process id of the sidecar once it is ready."
  (meta-log-peer-sync-start)
  (stranger-until (memq (meta-log-peer-sync-rpc-state) '(ready failed)))
  (stranger-did "%s %s" (meta-log-peer-sync-rpc-state)
                (plist-get (meta-log-peer-sync-rpc-status) :version))
  (process-id meta-log-peer-sync-rpc--process))

(let ((from (pop command-line-args-left)))
  (if (file-directory-p from)
      (funcall 'package-vc-install (list 'meta-log-peer-sync :url from :vc-backend 'Git
                                         :lisp-dir "elisp"))
    (package-install-file from))
  (require 'meta-log-peer-sync)
  (stranger-did "load %s" (file-relative-name (locate-library "meta-log-peer-sync") "~"))
  (condition-case problem
      (if (meta-log-peer-sync-rpc--package-root)
          (stranger-did "none yet")
        (meta-log-peer-sync-start))
    (user-error (stranger-did "none yet")
                (unless (string-match-p "install-sidecar" (error-message-string problem))
                  (error "It does not name the cure: %S" problem))))
  (meta-log-peer-sync-install-sidecar)
  (stranger-until (and (not (meta-log-peer-sync-install--busy-p))
                       (meta-log-peer-sync-rpc-own-program)))
  (stranger-did "found %s" (file-relative-name (caar (meta-log-peer-sync-rpc-command)) "~"))
  (let ((pid (stranger-start)))
    (unless (file-directory-p from)
      (meta-log-peer-sync-upgrade-sidecar)
      (stranger-until (and (not (meta-log-peer-sync-install--busy-p))
                           (eq (meta-log-peer-sync-rpc-state) 'ready)
                           (/= pid (process-id meta-log-peer-sync-rpc--process))))
      (stranger-did "upgraded")))
  (with-current-buffer (meta-log-peer-sync-doctor)
    (stranger-until (consp meta-log-peer-sync-doctor-report))
    (dolist (check meta-log-peer-sync-doctor-report)
      (when (equal (plist-get check :name) "sidecar")
        (stranger-did "doctor %s" (plist-get check :state)))))
  ;; First without the state, then with it.
  (let ((state (meta-log-peer-sync-core-state-directory)))
    (meta-log-peer-sync-remove-sidecar)
    (stranger-until (not (file-exists-p (meta-log-peer-sync-rpc-own-directory))))
    (stranger-did "identity %s" (if (file-exists-p (expand-file-name "identity.json" state))
                                    "kept" "lost"))
    (meta-log-peer-sync-remove-sidecar t)
    (stranger-until (not (file-exists-p state))))
  (package-delete (cadr (assq 'meta-log-peer-sync package-alist)) t)
  (stranger-did "removed"))

;;; install_package.el ends here
