;;; meta-log-peer-sync-doctor.el --- What is broken, why, and the cure  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools

;;; Commentary:

;; M-x meta-log-peer-sync-doctor looks at everything that can be broken: first
;; what only Emacs can see, whether it finds the sidecar in its own version,
;; then what the verb `doctor' of the sidecar finds, started with the options
;; that a start would use.  It needs no running peer.

;;; Code:

(require 'cl-lib)
(require 'meta-log-peer-sync-core)

(defconst meta-log-peer-sync-doctor--cases
  '(("no-sidecar"
     "Emacs finds no program meta-log-peer-sync: it is not installed, or not where Emacs looks"
     "M-x meta-log-peer-sync-install-sidecar, or set meta-log-peer-sync-rpc-program")
    ("wrong-version"
     "the Emacs package and the sidecar are of different versions"
     "M-x meta-log-peer-sync-upgrade-sidecar"))
  "What only Emacs can find: name, cause and cure.
The table of the sidecar, federation/doctor/cases.py, has the same.")

(defconst meta-log-peer-sync-doctor--name "*meta-log-peer-sync doctor*"
  "Name of the buffer.")

(defvar-local meta-log-peer-sync-doctor--process nil "The verb that is running, or nil.")

(defvar-local meta-log-peer-sync-doctor-report nil
  "What was found: a list of plists, or `running' while the sidecar looks.
Each has `:name', `:state', `:found', `:case', `:cause' and `:cure', all
strings.")

(defvar meta-log-peer-sync-doctor-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map (kbd "TAB") #'forward-button)
    (define-key map (kbd "<backtab>") #'backward-button)
    map)
  "Keys of `meta-log-peer-sync-doctor-mode'.")

(define-derived-mode meta-log-peer-sync-doctor-mode special-mode "Sync-Doctor"
  "Major mode for what the doctor has found.
\\<meta-log-peer-sync-doctor-mode-map>\\[revert-buffer] looks again, \
\\[forward-button] goes to the next button.
\\{meta-log-peer-sync-doctor-mode-map}"
  (setq-local revert-buffer-function (lambda (&rest _) (meta-log-peer-sync-doctor--look)))
  (setq-local imenu-generic-expression '((nil "^\\(?:ok\\|WARNING\\|ERROR\\) +\\([a-z]+\\)" 1)))
  (setq-local bidi-display-reordering nil)
  (add-hook 'kill-buffer-hook #'meta-log-peer-sync-doctor--end nil t))

(defun meta-log-peer-sync-doctor--end ()
  "End the verb that is running for the current buffer."
  (when (process-live-p meta-log-peer-sync-doctor--process)
    (delete-process meta-log-peer-sync-doctor--process))
  (setq meta-log-peer-sync-doctor--process nil))

;;;; Looking

(defun meta-log-peer-sync-doctor--check (name found &optional case)
  "Return the check NAME that has FOUND something, which is CASE or well."
  (pcase-let ((`(,_ ,cause ,cure) (assoc case meta-log-peer-sync-doctor--cases)))
    (list :name name :state (if case "error" "ok") :found found :case (or case "")
          :cause (or cause "") :cure (or cure ""))))

(defun meta-log-peer-sync-doctor--own ()
  "Return what Emacs knows of its peer, as a check."
  (let ((failure (meta-log-peer-sync-rpc-failure)))
    (list :name "emacs" :state (if failure "error" "ok") :case (if failure "failed" "")
          :found (format "Emacs %s, package %s, the peer of this Emacs is %s" emacs-version
                         meta-log-peer-sync-rpc-version (meta-log-peer-sync-rpc-state))
          :cause (or failure "")
          :cure (if failure "M-x meta-log-peer-sync-start, once what is named is mended" ""))))

(defun meta-log-peer-sync-doctor--sidecar (command version errors)
  "Return the check of the sidecar COMMAND, a list, which is of VERSION.
ERRORS is what it wrote to standard error."
  (let ((program (mapconcat #'identity command " ")))
    (cond ((meta-log-peer-sync-rpc-lacking errors)
           (meta-log-peer-sync-doctor--check
            "sidecar" (concat program ": " (meta-log-peer-sync-rpc-lacking errors))
            "no-sidecar"))
          ((not version)
           (meta-log-peer-sync-doctor--check
            "sidecar" (concat program " does not know the verb doctor") "wrong-version"))
          ((meta-log-peer-sync-rpc-fits-p version)
           (meta-log-peer-sync-doctor--check "sidecar" (format "%s, version %s"
                                                               program version)))
          (t (meta-log-peer-sync-doctor--check
              "sidecar" (format "%s is version %s, this package %s" program version
                                meta-log-peer-sync-rpc-version)
              "wrong-version")))))

(defun meta-log-peer-sync-doctor--arguments ()
  "Return the plist that the sidecar was, or would be, started with."
  (or (and (meta-log-peer-sync-rpc-running-p) (meta-log-peer-sync-rpc-arguments))
      (meta-log-peer-sync-core-arguments
       (directory-file-name (meta-log-peer-sync-core-state-directory)))))

(defun meta-log-peer-sync-doctor--look ()
  "Look at everything, and show it in the current buffer."
  (meta-log-peer-sync-doctor--end)
  (condition-case problem
      (pcase-let* ((`(,command . ,root) (meta-log-peer-sync-rpc-command))
                   (arguments (meta-log-peer-sync-doctor--arguments)))
        (setq meta-log-peer-sync-doctor-report 'running)
        (meta-log-peer-sync-doctor--show
         (list (meta-log-peer-sync-doctor--own)) "The sidecar looks…")
        (meta-log-peer-sync-doctor--ask command root arguments))
    (user-error
     (meta-log-peer-sync-doctor--done
      (list (meta-log-peer-sync-doctor--own)
            (meta-log-peer-sync-doctor--check "sidecar" (error-message-string problem)
                                              "no-sidecar"))))
    (file-error
     (meta-log-peer-sync-doctor--done
      (list (meta-log-peer-sync-doctor--own)
            (meta-log-peer-sync-doctor--check "sidecar" (error-message-string problem)
                                              "no-sidecar"))))))

(defun meta-log-peer-sync-doctor--ask (command root arguments)
  "Run the verb `doctor' of COMMAND and ROOT with ARGUMENTS."
  (let* ((buffer (current-buffer))
         (output (generate-new-buffer " *meta-log-peer-sync doctor*" t))
         (said "")
         (errors (make-pipe-process
                  :name "meta-log-peer-sync doctor stderr" :noquery t :buffer nil
                  :filter (lambda (_process text) (setq said (concat said text)))
                  :sentinel #'ignore))
         ;; Python imports from the current folder: one that only root can write.
         (default-directory (or root "/"))
         (process-environment (meta-log-peer-sync-rpc-environment arguments root)))
    (setq meta-log-peer-sync-doctor--process
          (make-process
           :name "meta-log-peer-sync doctor" :buffer output :noquery t :stderr errors
           :coding 'utf-8-unix :connection-type 'pipe
           :command (append command (meta-log-peer-sync-rpc-flags arguments "doctor"))
           :sentinel
           (lambda (process _change)
             (unless (process-live-p process)
               (when (= 0 (buffer-size output)) ; then why is said there
                 (accept-process-output errors 0.05))
               (meta-log-peer-sync-doctor--answered process buffer command said)
               (kill-buffer output)))))))

(defun meta-log-peer-sync-doctor--answered (process buffer command errors)
  "PROCESS, which ran COMMAND for BUFFER, has ended: show what it said.
ERRORS is what it wrote to standard error."
  (when (and (buffer-live-p buffer)
             (eq process (buffer-local-value 'meta-log-peer-sync-doctor--process buffer)))
    (let ((answer (with-current-buffer (process-buffer process)
                    (goto-char (point-min))
                    (ignore-errors
                      (json-parse-buffer :object-type 'plist :array-type 'list)))))
      (with-current-buffer buffer
        (setq meta-log-peer-sync-doctor--process nil)
        (meta-log-peer-sync-doctor--done
         (append (list (meta-log-peer-sync-doctor--own)
                       (meta-log-peer-sync-doctor--sidecar
                        command (plist-get answer :version) errors))
                 (plist-get answer :checks)))))))

;;;; Showing

(defun meta-log-peer-sync-doctor--done (report)
  "Keep and show REPORT, all that was found."
  (setq meta-log-peer-sync-doctor-report report)
  (let ((count (lambda (state)
                 (cl-count state report :test #'equal
                           :key (lambda (check) (plist-get check :state))))))
    (meta-log-peer-sync-doctor--show
     report (format "%s, %s"
                    (meta-log-peer-sync-core-count (funcall count "error") "error")
                    (meta-log-peer-sync-core-count (funcall count "warning") "warning")))))

(defun meta-log-peer-sync-doctor--show (report end)
  "Show REPORT, and the line END, in the current buffer."
  (let ((inhibit-read-only t) (line (line-number-at-pos)))
    (erase-buffer)
    (insert "What can be broken between this Emacs and the other peers\n\n")
    (mapc #'meta-log-peer-sync-doctor--insert report)
    (insert "\n" end "\n\n")
    (pcase-dolist (`(,label . ,command)
                   '(("Look again" . revert-buffer)
                     ("Start the peer" . meta-log-peer-sync-start)
                     ("Log of the sidecar" . meta-log-peer-sync-rpc-show-log)))
      (meta-log-peer-sync-doctor--button label command)
      (insert "  "))
    (insert "\n")
    (goto-char (point-min))
    (forward-line (1- line))))

(defun meta-log-peer-sync-doctor--insert (check)
  "Insert CHECK: a line, and cause and cure below it when it is not well."
  (let ((state (plist-get check :state)))
    (insert (propertize (format "%-8s" (if (equal state "ok") state (upcase state)))
                        'face (pcase state
                                ("ok" 'success) ("warning" 'warning) (_ 'error)))
            (format "%-9s %s\n" (plist-get check :name)
                    (meta-log-peer-sync-core-plain (plist-get check :found) 400)))
    (unless (or (equal state "ok") (equal (plist-get check :case) ""))
      (insert (make-string 18 ?\s) "why:  "
              (meta-log-peer-sync-core-plain (plist-get check :cause) 400) "\n"
              (make-string 18 ?\s) "cure: ")
      (meta-log-peer-sync-doctor--insert-cure
       (meta-log-peer-sync-core-plain (plist-get check :cure) 400))
      (insert "\n"))))

(defun meta-log-peer-sync-doctor--insert-cure (text)
  "Insert TEXT; commands that it names become buttons."
  (let ((start 0))
    (while (string-match "M-x \\(meta-log-[a-z-]+\\)" text start)
      (insert (substring text start (match-beginning 0)))
      (let ((label (match-string 0 text)) (command (intern-soft (match-string 1 text))))
        (setq start (match-end 0))
        (if (commandp command)
            (meta-log-peer-sync-doctor--button label command)
          (insert label))))
    (insert (substring text start))))

(defun meta-log-peer-sync-doctor--button (label command)
  "Insert a button LABEL that does COMMAND."
  (insert-text-button label 'follow-link t 'help-echo (symbol-name command)
                      'action (lambda (_button) (call-interactively command))))

;;;###autoload
(defun meta-log-peer-sync-doctor ()
  "Look at everything that can be broken; return the buffer at once.
It names what it found, why that is so, and the cure, which is a button
where a command does it.  No peer has to be running."
  (interactive)
  (let ((buffer (get-buffer-create meta-log-peer-sync-doctor--name)))
    (with-current-buffer buffer
      (unless (derived-mode-p 'meta-log-peer-sync-doctor-mode)
        (meta-log-peer-sync-doctor-mode))
      (meta-log-peer-sync-doctor--look))
    (unless noninteractive (pop-to-buffer buffer))
    buffer))

(provide 'meta-log-peer-sync-doctor)
;;; meta-log-peer-sync-doctor.el ends here
