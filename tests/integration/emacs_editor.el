;;; emacs_editor.el --- An Emacs that a test tells what to do  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Evaluates the forms in the file SOURCE/form one after the other, as they
;; come, and writes what they return to REPORT, as one JSON object with the
;; messages that were shown and the questions that were asked (each is
;; answered with yes).  STOP is the file that ends it.

;;; Code:

(require 'json)
(require 'meta-log-peer-sync)

(defvar emacs-editor-messages nil "What was shown, newest first.")
(defvar emacs-editor-questions nil "What was asked, newest first.")

(defun emacs-editor-ask (prompt &rest _ignored)
  "Note PROMPT and say yes."
  (push prompt emacs-editor-questions)
  t)

(advice-add 'message :before
            (lambda (format &rest arguments)
              (when format
                (push (apply #'format-message format arguments) emacs-editor-messages))))
(dolist (function '(yes-or-no-p y-or-n-p ask-user-about-lock))
  (advice-add function :override #'emacs-editor-ask))

(defun emacs-editor-run (file)
  "Evaluate the form in FILE, delete it, and report."
  (let* ((form (with-temp-buffer
                 (insert-file-contents file)
                 (read (current-buffer))))
         (value (condition-case problem
                    (eval form t)
                  (error (format "ERROR %s" (error-message-string problem)))))
         (report (getenv "REPORT")))
    (with-temp-file (concat report ".new")
      (insert (json-encode (list (cons 'value (format "%s" value))
                                 (cons 'status (meta-log-peer-sync-status))
                                 (cons 'modeline (substring-no-properties
                                                  meta-log-peer-sync-modeline))
                                 (cons 'help (get-text-property
                                              1 'help-echo meta-log-peer-sync-modeline))
                                 (cons 'questions (vconcat emacs-editor-questions))
                                 (cons 'messages (vconcat emacs-editor-messages))))))
    (rename-file (concat report ".new") report t)
    (delete-file file)))

(let ((form (concat (getenv "SOURCE") "/form")))
  (while (not (file-exists-p (getenv "STOP")))
    (accept-process-output nil 0.02)
    (when (file-exists-p form)
      (emacs-editor-run form))))
(kill-emacs 0)

;;; emacs_editor.el ends here
